"use client";

import dynamic from "next/dynamic";

// Toasts come with the first act, not with the page: their code is fetched when the browser has nothing else to do.

const Sonner = dynamic(() => import("sonner").then((m) => m.Toaster), { ssr: false });

type Kind = "success" | "error" | "info";

function show(kind: Kind, message: string, description?: string) {
  void import("sonner").then(({ toast: sonner }) => sonner[kind](message, { description }));
}

export const toast = {
  success: (message: string, description?: string) => show("success", message, description),
  error: (message: string, description?: string) => show("error", message, description),
  info: (message: string, description?: string) => show("info", message, description),
};

export function Toaster() {
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
