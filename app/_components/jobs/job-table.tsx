"use client";

import { useRetry } from "@/_api/mutations";
import { Checkbox } from "../ui/field";
import { COLUMNS } from "./columns";
import { JobRow } from "./job-row";
import type { Shown } from "./still";
import { useNarrow } from "./use-narrow";
import type { Selection } from "./use-selection";

export function JobTable({ shown, selection }: { shown: Shown; selection: Selection }) {
  const { mutate: retry } = useRetry();
  const narrow = useNarrow();
  return (
    <table className="w-full table-fixed border-collapse text-left">
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
      <tbody>
        {shown.jobs.map((job) => (
          <JobRow
            key={job.id}
            job={job}
            gone={shown.gone.has(job.id)}
            narrow={narrow}
            selected={selection.ids.has(job.id)}
            onToggle={selection.toggle}
            onRetry={retry}
          />
        ))}
      </tbody>
    </table>
  );
}
