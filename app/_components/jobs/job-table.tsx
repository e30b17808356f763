"use client";

import { useRef, useState } from "react";
import { useRetry } from "@/_api/mutations";
import { Checkbox } from "../ui/field";
import { LongRows, MOST_ROWS } from "../ui/long-rows";
import { COLUMNS } from "./columns";
import { JobRow } from "./job-row";
import type { Shown } from "./still";
import { useNarrow } from "./use-narrow";
import type { Selection } from "./use-selection";
import { cameBack } from "./way-back";

export function JobTable({ shown, selection }: { shown: Shown; selection: Selection }) {
  const { mutate: retry } = useRetry();
  const narrow = useNarrow();
  const frame = useRef<HTMLTableSectionElement>(null);
  const { jobs } = shown;
  const [first] = useState(() => {
    const job = cameBack()?.job;
    const index = job === undefined ? -1 : jobs.findIndex(({ id }) => id === job);
    return index < 0 ? undefined : index;
  });
  return (
    <table
      aria-rowcount={jobs.length > MOST_ROWS ? jobs.length + 1 : undefined}
      className="w-full table-fixed border-collapse text-left"
    >
      <thead>
        <tr className="h-9 border-b border-line text-xs text-ink-faint [&>th]:font-medium">
          <th scope="col" className={COLUMNS.select}>
            <Checkbox
              aria-label="Select all that are shown"
              checked={selection.all}
              onChange={selection.toggleAll}
              className="block"
            />
          </th>
          <th scope="col" className={COLUMNS.state}>
            State
          </th>
          <th scope="col" className={COLUMNS.job}>
            Job
          </th>
          <th scope="col" className={COLUMNS.queue}>
            Queue
          </th>
          <th scope="col" className={COLUMNS.attempts}>
            Attempt
          </th>
          <th scope="col" className={COLUMNS.detail}>
            <span className="sr-only">Progress or error</span>
          </th>
          <th scope="col" className={COLUMNS.age}>
            Age
          </th>
          <th scope="col" className={COLUMNS.act}>
            <span className="sr-only">Action</span>
          </th>
        </tr>
      </thead>
      <tbody ref={frame}>
        <LongRows
          frame={frame}
          first={first}
          count={jobs.length}
          name={(index) => jobs[index]?.id ?? index}
          height={narrow ? 56 : 44}
          gap={(pixels) => (
            <tr aria-hidden>
              <td colSpan={8} style={{ height: pixels }} />
            </tr>
          )}
          row={(index, measured) => {
            const job = jobs[index];
            return (
              job && (
                <JobRow
                  key={job.id}
                  job={job}
                  gone={shown.gone.has(job.id)}
                  narrow={narrow}
                  selected={selection.ids.has(job.id)}
                  onToggle={selection.toggle}
                  onRetry={retry}
                  index={measured && index}
                  measure={measured?.ref}
                />
              )
            );
          }}
        />
      </tbody>
    </table>
  );
}
