"use client";

import { useEffect } from "react";
import { Toaster as Sonner, toast as sonner } from "sonner";
import { visible } from "../text/visible";
import { receiveToasts } from "./toaster";

/** The toasts themselves; see toaster.tsx for when they are fetched. */
export function Toasts() {
  // Effects of children come first: by now Sonner listens.
  useEffect(
    () =>
      receiveToasts(({ kind, message, description }) =>
        sonner[kind](visible(message), { description: description && visible(description) }),
      ),
    [],
  );
  return (
    <Sonner
      position="bottom-right"
      offset={20}
      mobileOffset={{ bottom: 76, left: 16, right: 16 }}
      toastOptions={{
        unstyled: true,
        classNames: {
          toast:
            "font-sans flex w-full items-start gap-2.5 rounded-lg bg-raised p-3 text-sm text-ink shadow-float ring-1 ring-line sm:w-[22rem]",
          icon: "mt-0.5 shrink-0 [&>svg]:size-4 group-data-[type=success]:text-green",
          title: "font-medium",
          description: "mt-0.5 text-ink-faint",
          success: "[&_[data-icon]]:text-green",
          error: "[&_[data-icon]]:text-red",
          info: "[&_[data-icon]]:text-blue",
        },
      }}
    />
  );
}
