"use client";

import { ChevronDown, ChevronUp, FoldVertical, UnfoldVertical, WrapText } from "lucide-react";
import dynamic from "next/dynamic";
import { type KeyboardEvent, useId, useMemo, useRef, useState } from "react";
import { visible } from "../text/visible";
import { IconButton } from "../ui/button";
import { CopyButton } from "../ui/copy";
import { Input } from "../ui/field";
import { findLines } from "./find";
import { isLong, JsonLineRow } from "./json-line-row";
import { formatPath, type JsonLine, layoutJson } from "./layout";

const VirtualRows = dynamic(() => import("../ui/virtual-rows").then((m) => m.VirtualRows), { ssr: false });

const MOST_ROWS = 200; // drawn all at once; longer texts are drawn where they are looked at
const ROW_PX = 20;
const SHORT = 6; // lines that need no tools to be found in

/** JSON to read: laid out and coloured, each number as it was sent. It folds, wraps and is searched. */
export function JsonView({ label, text }: { label: string; text: string }) {
  const id = useId();
  const scroller = useRef<HTMLDivElement>(null);
  const lines = useMemo(() => layoutJson(text), [text]);
  const [folded, setFolded] = useState<ReadonlySet<number>>(new Set());
  const [whole, setWhole] = useState<ReadonlySet<number>>(new Set()); // long texts that are shown to their end
  const [wrap, setWrap] = useState(true);
  const [at, setAt] = useState(0); // the line that the keys are on
  const [wanted, setWanted] = useState("");
  const found = useMemo(() => findLines(lines, wanted), [lines, wanted]);
  const rows = useMemo(() => unfoldedLines(lines, folded), [lines, folded]);

  const foldable = useMemo(() => lines.flatMap(({ close }, i) => (close && i > 0 ? i : [])), [lines]);
  const place = Math.max(0, lastAtMost(rows, at)); // a line inside of a folded one stands for it
  const here = rows[place] ?? 0;
  const line = lines[here];
  const path = line?.path;
  const hit = found.indexOf(here);

  function goTo(index: number) {
    const next = Math.min(Math.max(index, 0), lines.length - 1);
    setAt(next);
    scroller.current?.querySelector(`[id="${id}-${next}"]`)?.scrollIntoView({ block: "nearest" });
  }

  function setFold(index: number, fold: boolean) {
    setAt(index);
    scroller.current?.focus({ preventScroll: true }); // also where the pointer did it, so that the keys go on from here
    setFolded((old) => {
      const next = new Set(old);
      if (fold) next.add(index);
      else next.delete(index);
      return next;
    });
  }

  function showWhole(index: number) {
    setWhole((old) => new Set([...old, index]));
    scroller.current?.focus({ preventScroll: true });
  }

  /** Shows the next line that has the wanted text, or the one before, whatever is folded around it. */
  function step(by: 1 | -1) {
    const from = hit >= 0 ? hit + by : by > 0 ? found.findIndex((i) => i > here) : lastAtMost(found, here);
    const next = found[(from + found.length) % found.length] ?? found[0];
    if (next === undefined) return;
    setFolded(new Set([...folded].filter((i) => !(i < next && next <= (lines[i]?.close ?? 0)))));
    if (isLong(lines[next])) setWhole(new Set([...whole, next]));
    setAt(next);
    requestAnimationFrame(() => goTo(next)); // when it is drawn
  }

  function onKey(event: KeyboardEvent) {
    if (event.target !== event.currentTarget || event.ctrlKey || event.metaKey || event.altKey) return;
    const opens = line?.close !== undefined;
    const isFolded = folded.has(here);
    switch (event.key) {
      case "ArrowDown":
        goTo(rows[place + 1] ?? here);
        break;
      case "ArrowUp":
        goTo(rows[place - 1] ?? here);
        break;
      case "Home":
        goTo(0);
        break;
      case "End":
        goTo(rows.at(-1) ?? 0);
        break;
      case "ArrowRight":
        if (opens && isFolded) setFold(here, false);
        else goTo(rows[place + 1] ?? here);
        break;
      case "ArrowLeft":
        if (opens && !isFolded) setFold(here, true);
        else goTo(parentOf(lines, here));
        break;
      case "Enter":
        if (opens) setFold(here, !isFolded);
        else if (isLong(line)) showWhole(here);
        break;
      default:
        return;
    }
    event.preventDefault();
  }

  const row = (
    index: number,
    measured?: { ref: (element: Element | null) => void; "data-index": number },
  ) => {
    const n = rows[index] ?? 0;
    const shown = lines[n];
    if (!shown) return null;
    return (
      <JsonLineRow
        key={n}
        id={`${id}-${n}`}
        line={shown}
        last={lines[shown.close ?? n]}
        folded={folded.has(n)}
        whole={whole.has(n)}
        wrap={wrap}
        here={n === here}
        wanted={wanted}
        measured={measured}
        onHere={() => setAt(n)}
        onFold={() => setFold(n, !folded.has(n))}
        onWhole={() => showWhole(n)}
      />
    );
  };

  return (
    <div>
      {lines.length > SHORT && (
        <search className="flex flex-wrap items-center gap-x-1 gap-y-1.5 border-b border-line py-1.5 pr-2 pl-3">
          <Input
            type="search"
            aria-label={`Find in ${label}`}
            placeholder="Find"
            value={wanted}
            onChange={({ target }) => setWanted(target.value)}
            onKeyDown={(event) => {
              if (event.key !== "Enter") return;
              event.preventDefault();
              step(event.shiftKey ? -1 : 1);
            }}
            className="h-7! w-36! grow px-2! sm:grow-0 sm:text-xs"
          />
          <span role="status" className="tabular min-w-16 px-1.5 text-xs text-ink-faint">
            {wanted === ""
              ? ""
              : found.length === 0
                ? "not found"
                : hit >= 0
                  ? `${hit + 1} of ${found.length}`
                  : `${found.length} ${found.length === 1 ? "line" : "lines"}`}
          </span>
          <IconButton label="Find the one before" onClick={() => step(-1)}>
            <ChevronUp />
          </IconButton>
          <IconButton label="Find the next" onClick={() => step(1)}>
            <ChevronDown />
          </IconButton>
          <span className="ml-auto flex gap-1">
            {foldable.length > 0 && (
              <IconButton
                label={folded.size > 0 ? "Unfold all" : "Fold all"}
                onClick={() => setFolded(new Set(folded.size > 0 ? [] : foldable))}
              >
                {folded.size > 0 ? <UnfoldVertical /> : <FoldVertical />}
              </IconButton>
            )}
            <IconButton
              label="Wrap long lines"
              aria-pressed={wrap}
              onClick={() => setWrap(!wrap)}
              className="aria-pressed:bg-neutral-wash aria-pressed:text-ink"
            >
              <WrapText />
            </IconButton>
          </span>
        </search>
      )}
      <div
        ref={scroller}
        role="tree"
        aria-label={label}
        aria-activedescendant={`${id}-${here}`}
        tabIndex={0}
        onKeyDown={onKey}
        className="group/tree max-h-[36rem] overflow-auto py-2 font-mono text-[0.8125rem]/5 focus-visible:outline-offset-[-2px]"
      >
        {rows.length <= MOST_ROWS ? (
          rows.map((_, index) => row(index))
        ) : (
          <VirtualRows
            count={rows.length}
            name={(index) => rows[index] ?? index}
            height={ROW_PX}
            scroller={scroller}
            kept={place}
            shown={place}
            row={row}
            gap={(pixels) => <div role="none" style={{ height: pixels }} />}
          />
        )}
      </div>
      {path && path.length > 0 && (
        <p className="flex items-start gap-1 border-t border-line py-1 pr-2 pl-4 font-mono text-xs text-ink-faint">
          <span className="min-w-0 grow py-1.5 break-all">{visible(formatPath(path))}</span>
          <CopyButton text={formatPath(path)} what="path">
            Path
          </CopyButton>
          <CopyButton text={text.slice(line?.start, line?.end)} what="value">
            Value
          </CopyButton>
        </p>
      )}
    </div>
  );
}

/** The numbers of the lines that are not inside of a folded one. */
function unfoldedLines(lines: readonly JsonLine[], folded: ReadonlySet<number>): number[] {
  const rows: number[] = [];
  for (let i = 0; i < lines.length; i++) {
    rows.push(i);
    const close = lines[i]?.close;
    if (close !== undefined && folded.has(i)) i = close;
  }
  return rows;
}

/** Where in a sorted list the last number is that is not greater than n; -1 if there is none. */
function lastAtMost(sorted: readonly number[], n: number): number {
  return sorted.findLastIndex((other) => other <= n);
}

/** The line that opens what a line is in. */
function parentOf(lines: readonly JsonLine[], index: number): number {
  const indent = lines[index]?.indent ?? 0;
  for (let i = index - 1; i > 0; i--) if ((lines[i]?.indent ?? 0) < indent) return i;
  return 0;
}
