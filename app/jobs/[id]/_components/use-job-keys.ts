"use client";

import { useRouter } from "next/navigation";
import { useEffect, useRef } from "react";
import { neighbour } from "@/_components/jobs/way-back";
import { isForPage } from "@/_components/shell/keyboard";

/** What the keys of a job's page do; undefined where the job does not allow it now. */
type JobKeys = { retry: (() => void) | undefined; again: () => void; cancel: (() => void) | undefined };

/** r, a and s act on the job; j and k open its neighbours in the list that it was opened from. */
export function useJobKeys(id: string, keys: JobKeys): void {
  const router = useRouter();
  const latest = useRef(keys);
  useEffect(() => {
    latest.current = keys;
  });
  useEffect(() => {
    function onKey(event: KeyboardEvent) {
      if (!isForPage(event)) return;
      if (event.key === "r") latest.current.retry?.();
      else if (event.key === "a") latest.current.again();
      else if (event.key === "s") latest.current.cancel?.();
      else if (event.key === "j" || event.key === "k") {
        const next = neighbour(id, event.key === "j" ? 1 : -1);
        if (next) router.replace(`/jobs/${next}`); // "back" leads to the list
      } else return;
      event.preventDefault();
    }
    document.addEventListener("keydown", onKey);
    return () => document.removeEventListener("keydown", onKey);
  }, [id, router]);
}
