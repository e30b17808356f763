"use client";

import { useEffect, useRef } from "react";
import type { Shown } from "./still";
import { cameBack } from "./way-back";

/** Gives the focus back to the row that was opened, when "back" leads to its list again. */
export function useWayBack(shown: Shown | undefined): void {
  const done = useRef(false);
  const ready = shown !== undefined;
  useEffect(() => {
    if (!ready || done.current) return;
    done.current = true;
    const job = cameBack()?.job;
    const link = job && document.querySelector<HTMLAnchorElement>(`a[data-job="${CSS.escape(job)}"]`);
    if (!link) return;
    link.focus({ preventScroll: true });
    const { top, bottom } = link.getBoundingClientRect();
    if (top < 0 || bottom > window.innerHeight) link.scrollIntoView({ block: "center" });
  }, [ready]);
}
