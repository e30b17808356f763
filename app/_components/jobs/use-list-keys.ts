"use client";

import { useEffect, useRef } from "react";
import { useRetry } from "@/_api/mutations";
import { isForPage } from "../shell/keyboard";
import type { Selection } from "./use-selection";

// The focus is the cursor of a list: a row's link has it, so Enter opens the job without any code, and a screen
// reader says where one is.

const LINKS = "a[data-job]";

function move(step: 1 | -1) {
  const links = [...document.querySelectorAll<HTMLAnchorElement>(LINKS)];
  const row = document.activeElement?.closest("tr, li");
  const at = links.findIndex((link) => link.closest("tr, li") === row);
  const next = links[at < 0 ? 0 : Math.min(Math.max(at + step, 0), links.length - 1)];
  next?.focus();
  next?.closest("tr, li")?.scrollIntoView({ block: "nearest" });
}

/** j, k, x, r and Escape for the rows of a list. */
export function useListKeys(selection: Selection): void {
  const retry = useRetry();
  const latest = useRef({ selection, retry });
  useEffect(() => {
    latest.current = { selection, retry };
  });
  useEffect(() => {
    function onKey(event: KeyboardEvent) {
      if (!isForPage(event)) return;
      const here = document.activeElement
        ?.closest("tr, li")
        ?.querySelector<HTMLAnchorElement>(LINKS)?.dataset;
      if (event.key === "j") move(1);
      else if (event.key === "k") move(-1);
      else if (event.key === "x" && here?.job) latest.current.selection.toggle(here.job);
      else if (event.key === "r" && here?.job && here.failed) latest.current.retry.mutate(here.job);
      else if (event.key === "Escape") latest.current.selection.clear();
    }
    document.addEventListener("keydown", onKey);
    return () => document.removeEventListener("keydown", onKey);
  }, []);
}
