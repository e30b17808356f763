"use client";

import { useEffect } from "react";
import { useRetry } from "@/_api/mutations";
import type { JobDetail } from "@/_api/types";
import { isForPage } from "@/_components/shell/keyboard";

/** r sends a failed job back. */
export function useJobKeys(job: JobDetail | undefined): void {
  const { mutate, isPending } = useRetry();
  const id = job?.status === "failed" && !isPending ? job.id : undefined;
  useEffect(() => {
    if (!id) return;
    function onKey(event: KeyboardEvent) {
      if (isForPage(event) && event.key === "r" && id) mutate(id);
    }
    document.addEventListener("keydown", onKey);
    return () => document.removeEventListener("keydown", onKey);
  }, [id, mutate]);
}
