"use client";

import {
  defaultRangeExtractor,
  type Range,
  useVirtualizer,
  useWindowVirtualizer,
} from "@tanstack/react-virtual";
import { Fragment, type ReactNode, type RefObject, useEffect } from "react";

// Long lists draw the rows that can be seen, and a few around them. Use it through dynamic(): the library comes with
// the first long list. The price: the browser's own search finds only rows that are drawn.

const AROUND = 12;

export type VirtualRowsProps = {
  count: number;
  /** What names a row, whatever its place. */
  name: (index: number) => string | number;
  /** About how high a row is, in pixels. Each is measured when it is drawn. */
  height: number;
  /** A row that is kept in the document although it cannot be seen, because it has the focus. */
  kept?: number | undefined;
  /** Draws a row. Its outermost element gets both. */
  row: (
    index: number,
    measured: { ref: (element: Element | null) => void; "data-index": number },
  ) => ReactNode;
  /** Holds the place of rows that are not drawn. */
  gap: (pixels: number) => ReactNode;
  /** Brought into sight whenever it changes. */
  shown?: number | undefined;
};

function range(kept: number | undefined) {
  return (seen: Range) => {
    const indexes = defaultRangeExtractor(seen);
    if (kept === undefined || kept >= seen.count || indexes.includes(kept)) return indexes;
    return [...indexes, kept].sort((a, b) => a - b);
  };
}

/** The rows of an element that scrolls. */
export function VirtualRows({
  scroller,
  ...rows
}: VirtualRowsProps & { scroller: RefObject<HTMLElement | null> }) {
  const virtualizer = useVirtualizer({
    count: rows.count,
    estimateSize: () => rows.height,
    getItemKey: rows.name,
    getScrollElement: () => scroller.current,
    overscan: AROUND,
    rangeExtractor: range(rows.kept),
  });
  const { shown } = rows;
  useEffect(() => {
    if (shown !== undefined) virtualizer.scrollToIndex(shown, { align: "auto" });
  }, [shown, virtualizer]);
  return <Rows {...rows} virtualizer={virtualizer} before={0} />;
}

/** The rows of a list that scrolls with the page. top: where it begins in the page, in pixels. */
export function VirtualPageRows({ top, ...rows }: VirtualRowsProps & { top: number }) {
  const virtualizer = useWindowVirtualizer({
    count: rows.count,
    estimateSize: () => rows.height,
    getItemKey: rows.name,
    overscan: AROUND,
    rangeExtractor: range(rows.kept),
    scrollMargin: top,
  });
  return <Rows {...rows} virtualizer={virtualizer} before={top} />;
}

type Measured = {
  getVirtualItems: () => { index: number; start: number; end: number }[];
  getTotalSize: () => number;
  measureElement: (element: Element | null) => void;
};

function Rows({
  row,
  gap,
  virtualizer,
  before,
}: VirtualRowsProps & { virtualizer: Measured; before: number }) {
  const parts: ReactNode[] = [];
  let at = before;
  for (const { index, start, end } of virtualizer.getVirtualItems()) {
    if (start > at) parts.push(<Fragment key={`before-${index}`}>{gap(start - at)}</Fragment>);
    parts.push(row(index, { ref: virtualizer.measureElement, "data-index": index }));
    at = end;
  }
  const rest = before + virtualizer.getTotalSize() - at;
  if (rest > 0) parts.push(<Fragment key="rest">{gap(rest)}</Fragment>);
  return parts;
}
