"use client";

import dynamic from "next/dynamic";
import { type ReactNode, type RefObject, useEffect, useLayoutEffect, useState } from "react";
import type { VirtualRowsProps } from "./virtual-rows";

const VirtualPageRows = dynamic(() => import("./virtual-rows").then((m) => m.VirtualPageRows), {
  ssr: false,
});

/** So many rows are all drawn. The browser's own search finds each of them, and nothing has to be measured. */
export const MOST_ROWS = 200;

type LongRowsProps = Omit<VirtualRowsProps, "kept" | "shown" | "row"> & {
  /** What the rows are in: a tbody or a list. */
  frame: RefObject<HTMLElement | null>;
  /** The row that shall have the focus at first. */
  first?: number | undefined;
  row: (
    index: number,
    measured?: { ref: (element: Element | null) => void; "data-index": number },
  ) => ReactNode;
};

/** The rows of a list that scrolls with the page: all of them, or those in sight where there are more than 200. */
export function LongRows({ frame, first, ...rows }: LongRowsProps) {
  const long = rows.count > MOST_ROWS;
  const [top, setTop] = useState(0);
  const [kept, setKept] = useState(first);

  // What is above the list may grow, so this is looked at whenever the list is drawn.
  useLayoutEffect(() => {
    const now = frame.current && long ? frame.current.getBoundingClientRect().top + window.scrollY : top;
    if (Math.abs(now - top) > 1) setTop(now);
  });

  useEffect(() => {
    const element = frame.current;
    if (!element || !long) return;
    function onFocus({ target }: FocusEvent) {
      const index = target instanceof Element && target.closest<HTMLElement>("[data-index]")?.dataset.index;
      if (index) setKept(Number(index));
    }
    element.addEventListener("focusin", onFocus);
    return () => element.removeEventListener("focusin", onFocus);
  }, [frame, long]);

  if (!long) return Array.from({ length: rows.count }, (_, index) => rows.row(index));
  return <VirtualPageRows {...rows} kept={kept} top={top} />;
}
