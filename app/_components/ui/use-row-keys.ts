"use client";

import { useEffect } from "react";
import { isForPage } from "../shell/keyboard";

// The focus is the cursor of a list: the link of a row has it, so Enter opens the row without any code, and a screen
// reader says where one is.

const ROWS = "a[data-row]";
const BACK_MS = 5000; // how long after a press on "back" a row may take to appear

const left = new Map<string, string>(); // the row that had the focus last, by the address of its page
let wentBackAt = Number.NEGATIVE_INFINITY;

if (typeof window !== "undefined") {
  window.addEventListener("popstate", () => {
    wentBackAt = performance.now();
  });
}

const here = () => window.location.pathname + window.location.search;

function step(by: 1 | -1) {
  const rows = [...document.querySelectorAll<HTMLAnchorElement>(ROWS)];
  const at = rows.findIndex((row) => row.matches(":focus"));
  const next = rows[at < 0 ? 0 : Math.min(Math.max(at + by, 0), rows.length - 1)];
  next?.focus();
  next?.scrollIntoView({ block: "nearest" });
}

/** Gives the focus back to a row once it is drawn, unless something else has the focus by then. */
function restore(name: string): () => void {
  function look() {
    const link = document.querySelector<HTMLAnchorElement>(`${ROWS}[data-row="${CSS.escape(name)}"]`);
    if (!link) return;
    observer.disconnect();
    if (document.activeElement === document.body || document.activeElement?.id === "main") link.focus();
  }
  const observer = new MutationObserver(look);
  observer.observe(document.body, { childList: true, subtree: true });
  const timer = setTimeout(() => observer.disconnect(), BACK_MS);
  look();
  return () => {
    clearTimeout(timer);
    observer.disconnect();
  };
}

/**
 * j and k for the links of a page that have data-row; and the focus is where it was when one comes back from a row.
 * view names what the page shows, where its address can name several things.
 */
export function useRowKeys(view = ""): void {
  // biome-ignore lint/correctness/useExhaustiveDependencies: another view is another page to come back to
  useEffect(() => {
    const name = performance.now() - wentBackAt < BACK_MS ? left.get(here()) : undefined;
    return name === undefined ? undefined : restore(name);
  }, [view]);
  useEffect(() => {
    function onKey(event: KeyboardEvent) {
      if (!isForPage(event) || (event.key !== "j" && event.key !== "k")) return;
      step(event.key === "j" ? 1 : -1);
      event.preventDefault();
    }
    function onFocus({ target }: FocusEvent) {
      const name = target instanceof Element && target.closest<HTMLAnchorElement>(ROWS)?.dataset.row;
      if (name) left.set(here(), name);
    }
    document.addEventListener("keydown", onKey);
    document.addEventListener("focusin", onFocus);
    return () => {
      document.removeEventListener("keydown", onKey);
      document.removeEventListener("focusin", onFocus);
    };
  }, []);
}
