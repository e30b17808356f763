"use client";

import { useLayoutEffect, useRef, useState } from "react";
import { visible } from "../text/visible";
import { cx } from "./cx";

// One observer for all: it tells which texts are cut, without a layout of its own.
const told = new Map<Element, (cut: boolean) => void>();
let observer: ResizeObserver | undefined;

function watch(element: Element, tell: (cut: boolean) => void): () => void {
  observer ??= new ResizeObserver((entries) => {
    for (const { target } of entries) told.get(target)?.(target.scrollHeight > target.clientHeight + 1);
  });
  told.set(element, tell);
  observer.observe(element);
  return () => {
    told.delete(element);
    observer?.unobserve(element);
  };
}

/**
 * A text of a job on two lines at most, or on one. Where there is more, a button shows it: a title would say nothing on a touch
 * screen, and nothing to the keyboard.
 */
export function Clamp({ text, lines = 2, className }: { text: string; lines?: 1 | 2; className?: string }) {
  const ref = useRef<HTMLSpanElement>(null);
  const [cut, setCut] = useState(false);
  const [open, setOpen] = useState(false);
  useLayoutEffect(() => (ref.current && !open ? watch(ref.current, setCut) : undefined), [open]);
  return (
    <span className={cx("flex min-w-0 items-end gap-1.5", className)}>
      <span
        ref={ref}
        className={cx(
          "min-w-0 break-words [overflow-wrap:anywhere]",
          !open && (lines === 1 ? "line-clamp-1" : "line-clamp-2"),
        )}
      >
        {visible(text)}
      </span>
      {(cut || open) && (
        <button
          type="button"
          aria-expanded={open}
          onClick={() => setOpen(!open)}
          className="relative z-10 -my-1 inline-flex h-6 min-w-6 shrink-0 items-center rounded px-1 font-sans text-xs text-ink-soft underline decoration-line-strong underline-offset-4 hover:text-ink"
        >
          {open ? "less" : "more"}
          <span className="sr-only"> of this text</span>
        </button>
      )}
    </span>
  );
}
