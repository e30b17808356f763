"use client";

import { useMemo, useState } from "react";
import { usePolled, usePolledList } from "@/_api/polling";
import { type JobFilter, jobsQuery, newerQuery } from "@/_api/queries";
import { arrivals, begin } from "./still";
import { useStill } from "./use-still";
import { cameBack } from "./way-back";

let readings = 0;

/** The jobs of a filter, newest first. They stand still until renew is called, or the filter is another one. */
export function useJobList(filter: JobFilter) {
  const name = JSON.stringify(filter);
  const [at, setAt] = useState(() => ({ name, reading: cameBack()?.reading ?? ++readings }));
  if (at.name !== name) setAt({ name, reading: cameBack()?.reading ?? ++readings });
  const { reading } = at;

  const [head, setHead] = useState<{ reading: number; id: string }>();
  const list = usePolledList(jobsQuery(filter, reading, head?.reading === reading ? head.id : undefined));
  const newer = usePolled({ ...newerQuery(filter), enabled: list.isSuccess && !list.isPlaceholderData });

  const { data, hasNextPage, isPlaceholderData } = list;
  const answer = useMemo(
    () =>
      data && {
        jobs: data.pages.flatMap((page) => page.jobs),
        complete: !hasNextPage,
        pages: data.pages.length,
      },
    [data, hasNextPage],
  );
  const still = useStill(isPlaceholderData ? undefined : answer, `${reading} ${name}`);
  const shown = still?.shown ?? (answer && begin(answer));
  const first = isPlaceholderData ? undefined : answer?.jobs[0]?.id;
  if (first && head?.reading !== reading) setHead({ reading, id: first });

  return {
    list,
    shown,
    reading,
    fresh: still && answer ? arrivals(still.shown, answer.jobs, newer.data ?? []) : 0,
    renew: () => setAt({ name, reading: ++readings }),
  };
}
