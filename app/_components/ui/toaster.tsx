"use client";

import dynamic from "next/dynamic";
import { useEffect, useState } from "react";

// Toasts come with an act of a person, so their code is fetched with the first press of a key or a button. Who only
// looks does without it.

const Toasts = dynamic(() => import("./toasts").then((m) => m.Toasts), { ssr: false });

export type Toast = { kind: "success" | "error" | "info"; message: string; description?: string };

const WANTED = "windlass:toast";
const waiting: Toast[] = [];
let deliver: ((toast: Toast) => void) | undefined;

function show(toast: Toast) {
  if (deliver) {
    deliver(toast);
  } else {
    waiting.push(toast);
    window.dispatchEvent(new Event(WANTED));
  }
}

/** Hands over the toasts that were shown so far, and those to come. */
export function receiveToasts(to: (toast: Toast) => void): void {
  deliver = to;
  waiting.splice(0).forEach(to);
}

export const toast = {
  success: (message: string, description?: string) => show({ kind: "success", message, description }),
  error: (message: string, description?: string) => show({ kind: "error", message, description }),
  info: (message: string, description?: string) => show({ kind: "info", message, description }),
};

export function Toaster() {
  const [wanted, setWanted] = useState(false);
  useEffect(() => {
    const want = () => setWanted(true);
    const signs = ["pointerdown", "keydown", WANTED];
    for (const sign of signs) window.addEventListener(sign, want, { once: true, capture: true });
    return () => {
      for (const sign of signs) window.removeEventListener(sign, want, { capture: true });
    };
  }, []);
  return wanted && <Toasts />;
}
