"use client";

import { LogOut, RotateCw } from "lucide-react";
import Link from "next/link";
import { memo } from "react";
import type { JobSummary } from "@/_api/types";
import { idTail } from "../id";
import { StateBadge } from "../job-state";
import { visible } from "../text/visible";
import { Age } from "../time/relative-time";
import { IconButton } from "../ui/button";
import { Checkbox } from "../ui/field";
import { COLUMNS } from "./columns";
import { JobBrief } from "./job-brief";

type JobRowProps = {
  job: JobSummary;
  /** It does not fit the list any more, or is deleted. Nothing else is known of it. */
  gone: boolean;
  /** There is no room for a column of its own for what there is to say. */
  narrow: boolean;
  selected: boolean;
  onToggle: (id: string) => void;
  onRetry: (id: string) => void;
  /** Where it is in a list of which not all rows are drawn. */
  index: number | undefined;
  measure: ((row: Element | null) => void) | undefined;
};

/** One job in a list. A refresh keeps the objects of jobs that did not change, and this row with them. */
export const JobRow = memo(function JobRow(props: JobRowProps) {
  const { job, gone, narrow, selected, onToggle, onRetry, index, measure } = props;
  const failed = job.status === "failed" && !gone;
  const type = visible(job.type);
  const name = `${type} …${idTail(job.id)}`;
  return (
    <tr
      ref={measure}
      data-index={index}
      aria-rowindex={index === undefined ? undefined : index + 2}
      data-selected={selected || undefined}
      className="group/row relative h-14 border-b border-line last:border-0 focus-within:bg-hover hover:bg-hover data-selected:bg-selected sm:h-11"
    >
      <td className={COLUMNS.select}>
        {!gone && (
          <Checkbox
            aria-label={`Select ${name}`}
            checked={selected}
            onChange={() => onToggle(job.id)}
            className="relative z-10 block"
          />
        )}
      </td>
      <td className={COLUMNS.state}>{gone ? <GoneBadge /> : <StateBadge state={job.state} />}</td>
      <td className={COLUMNS.job}>
        <Link
          href={`/jobs/${job.id}`}
          prefetch={false}
          data-job={job.id}
          data-failed={failed || undefined}
          data-open={(!gone && (job.status === "pending" || job.status === "processing")) || undefined}
          title={job.id}
          className="flex min-w-0 items-baseline gap-2 rounded-sm outline-none after:absolute after:inset-0 focus-visible:after:ring-2 focus-visible:after:ring-focus focus-visible:after:ring-inset"
        >
          <span className="min-w-0 font-medium [overflow-wrap:anywhere]">{type}</span>
          <span className="shrink-0 font-mono text-xs text-ink-faint">…{idTail(job.id)}</span>
        </Link>
        {narrow && !gone && <JobBrief job={job} short />}
      </td>
      <td className={COLUMNS.queue}>
        <span className="block text-ink-soft [overflow-wrap:anywhere]">{visible(job.queue)}</span>
      </td>
      <td className={COLUMNS.attempts}>
        <span className="tabular text-ink-soft">
          {job.attempts} <span className="text-ink-faint">of {job.max_attempts}</span>
        </span>
      </td>
      <td className={COLUMNS.detail}>{!narrow && !gone && <JobBrief job={job} />}</td>
      <td className={COLUMNS.age}>
        <Age since={job.created_at} className="tabular text-xs whitespace-nowrap text-ink-faint" />
      </td>
      <td className={COLUMNS.act}>
        {/* Its place does not open the job: so a press that is meant to open it never meets a button that just came. */}
        <span className="relative z-10 block size-8">
          {failed && (
            <IconButton label={`Retry ${name}`} onClick={() => onRetry(job.id)} className="hover:bg-line">
              <RotateCw />
            </IconButton>
          )}
        </span>
      </td>
    </tr>
  );
});

function GoneBadge() {
  return (
    <span
      title="This job does not fit the list any more, or is deleted. Open it to see its state."
      className="inline-flex h-6 items-center gap-1.5 rounded-md px-2 text-xs font-medium whitespace-nowrap text-ink-faint ring-1 ring-line ring-inset"
    >
      <LogOut aria-hidden className="size-3.5 shrink-0" />
      Moved on
    </span>
  );
}
