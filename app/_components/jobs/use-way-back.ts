"use client";

import { useEffect, useRef } from "react";
import type { Shown } from "./still";
import { cameBack } from "./way-back";

const DRAWN_MS = 2000; // how long the rows of a long list may take to be drawn

/** Gives the focus back to the row that was opened, when "back" leads to its list again. */
export function useWayBack(shown: Shown | undefined): void {
  const done = useRef(false);
  const ready = shown !== undefined;
  useEffect(() => {
    if (!ready || done.current) return;
    done.current = true;
    const job = cameBack()?.job;
    if (!job) return;
    const name = `a[data-job="${CSS.escape(job)}"]`;
    const until = performance.now() + DRAWN_MS;
    let frame = 0;
    function look() {
      const link = document.querySelector<HTMLAnchorElement>(name);
      if (link) {
        link.focus({ preventScroll: true });
        const { top, bottom } = link.getBoundingClientRect();
        if (top < 0 || bottom > window.innerHeight) link.scrollIntoView({ block: "center" });
      } else if (performance.now() < until) frame = requestAnimationFrame(look);
    }
    look();
    return () => cancelAnimationFrame(frame);
  }, [ready]);
}
