"use client";

import { type ReactNode, useEffect, useRef, useState } from "react";
import { useCancel, useRetry } from "@/_api/mutations";
import { idTail } from "../id";
import { isForPage } from "../shell/keyboard";
import { Confirm } from "../ui/confirm";
import type { Selection } from "./use-selection";

// The focus is the cursor of a list: a row's link has it, so Enter opens the job without any code, and a screen
// reader says where one is. A group of jobs is a row too, and its button has the focus.

const JOBS = "a[data-job]";
const ROWS = `${JOBS}, button[data-group]`;

const rowOf = (element: Element | null) => element?.closest("tr, li");

function move(step: 1 | -1) {
  const rows = [...document.querySelectorAll<HTMLElement>(ROWS)];
  const here = rowOf(document.activeElement);
  const at = rows.findIndex((row) => rowOf(row) === here);
  const next = rows[at < 0 ? 0 : Math.min(Math.max(at + step, 0), rows.length - 1)];
  next?.focus();
  rowOf(next ?? null)?.scrollIntoView({ block: "nearest" });
}

type ListKeys = {
  selection: Selection;
  /** Shows what came since; undefined while nothing did. */
  renew: (() => void) | undefined;
};

/** The keys for the rows of a list; ShortcutList tells them. Returns the question that one of them asks. */
export function useListKeys({ selection, renew }: ListKeys): ReactNode {
  const retry = useRetry();
  const cancel = useCancel();
  const [stopping, setStopping] = useState<string>();
  const latest = useRef({ selection, renew, retry });
  useEffect(() => {
    latest.current = { selection, renew, retry };
  });
  useEffect(() => {
    function onKey(event: KeyboardEvent) {
      if (!isForPage(event)) return;
      const row = rowOf(document.activeElement)?.querySelector<HTMLElement>(ROWS);
      const job = row?.matches(JOBS) ? row.dataset : undefined;
      const { selection, renew, retry } = latest.current;
      if (event.key === "j") move(1);
      else if (event.key === "k") move(-1);
      else if (event.key === "x" && job?.job) selection.toggle(job.job);
      else if (event.key === "r" && job?.job && job.failed) retry.mutate(job.job);
      else if (event.key === "r" && row && !job)
        rowOf(row)?.querySelector<HTMLElement>("[data-retry-group]")?.click();
      else if (event.key === "s" && job?.job && job.open) setStopping(job.job);
      else if (event.key === "f") document.querySelector<HTMLElement>("[data-filter]")?.focus();
      else if (event.key === ".") renew?.();
      else if (event.key === "Escape") selection.clear();
      else return;
      event.preventDefault();
    }
    document.addEventListener("keydown", onKey);
    return () => document.removeEventListener("keydown", onKey);
  }, []);
  return (
    <Confirm
      open={stopping !== undefined}
      onClose={() => setStopping(undefined)}
      title={`Cancel job …${idTail(stopping ?? "")}?`}
      description="If it waits, it will not run. If it runs, its handler is asked to stop."
      action="Cancel the job"
      danger
      onConfirm={() => stopping && cancel.mutate(stopping)}
    />
  );
}
