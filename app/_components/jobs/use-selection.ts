"use client";

import { useCallback, useMemo, useState } from "react";
import { useHold } from "@/_api/polling";
import type { JobSummary } from "@/_api/types";
import type { Shown } from "./still";

export type Selection = {
  ids: ReadonlySet<string>;
  jobs: JobSummary[];
  toggle: (id: string) => void;
  toggleAll: () => void;
  clear: () => void;
  all: boolean;
};

/** Which rows are selected. While any is, the page stands still. What is gone from a list cannot be chosen. */
export function useSelection(shown: Shown | undefined): Selection {
  const [ids, setIds] = useState<ReadonlySet<string>>(new Set());
  const jobs = useMemo(() => shown?.jobs.filter(({ id }) => !shown.gone.has(id)) ?? [], [shown]);
  const selected = useMemo(() => jobs.filter((job) => ids.has(job.id)), [jobs, ids]);
  useHold(selected.length > 0);
  const all = jobs.length > 0 && selected.length === jobs.length;
  const toggle = useCallback((id: string) => {
    setIds((old) => {
      const next = new Set(old);
      if (!next.delete(id)) next.add(id);
      return next;
    });
  }, []);
  const clear = useCallback(() => setIds(new Set()), []);
  const toggleAll = () => setIds(all ? new Set() : new Set(jobs.map((job) => job.id)));
  return { ids, jobs: selected, toggle, toggleAll, clear, all };
}
