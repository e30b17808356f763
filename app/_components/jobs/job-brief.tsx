"use client";

import type { JobSummary } from "@/_api/types";
import { useTime } from "../time/clock";
import { formatDuration } from "../time/format";
import { Countdown, Elapsed } from "../time/relative-time";
import { ProgressBar } from "../ui/progress-bar";
import { firstLine } from "./error-line";

/** What there is to say of a job in half a line: how far it is, when it goes on, or what went wrong. */
export function JobBrief({ job, short = false }: { job: JobSummary; short?: boolean }) {
  const error = job.error_message ? firstLine(job.error_message) : "";
  switch (job.state) {
    case "running":
    case "cancelling":
      return <Running job={job} short={short} />;
    case "retrying":
    case "scheduled":
      return (
        <span className="flex min-w-0 gap-2 text-xs">
          <span className="tabular shrink-0 whitespace-nowrap text-ink-soft">
            <StartsIn what={job.state === "retrying" ? "Retry" : "Starts"} at={job.run_at} />
          </span>
          {!short && <ErrorText text={error} />}
        </span>
      );
    case "dead":
    case "cancelled":
      return <ErrorText text={error} />;
    case "completed":
      return (
        <span className="tabular block truncate text-xs text-ink-faint">
          {job.started_at && job.finished_at
            ? `Took ${formatDuration(Date.parse(job.finished_at) - Date.parse(job.started_at))}`
            : ""}
        </span>
      );
    case "waiting":
      return null;
  }
}

function StartsIn({ what, at }: { what: string; at: string }) {
  const due = useTime((now) => Date.parse(at) <= now);
  if (due) return what === "Retry" ? "Retry is due" : "Due";
  return (
    <>
      {what} in <Countdown to={at} />
    </>
  );
}

function Running({ job, short }: { job: JobSummary; short: boolean }) {
  const { progress } = job;
  if (!progress) {
    return (
      <span className="tabular text-xs text-ink-faint">
        {job.started_at ? (
          <>
            For <Elapsed since={job.started_at} />
          </>
        ) : null}
      </span>
    );
  }
  return (
    <span className="flex min-w-0 items-center gap-2.5 text-xs">
      <ProgressBar
        percent={progress.percent}
        label={`Progress of ${job.type}`}
        className="w-16 shrink-0 lg:w-24"
      />
      <span className="tabular w-9 shrink-0 text-ink-soft">{Math.floor(progress.percent)} %</span>
      {!short && <span className="truncate text-ink-faint">{progress.message}</span>}
    </span>
  );
}

function ErrorText({ text }: { text: string }) {
  return (
    <span className="block truncate text-xs text-ink-faint" title={text}>
      {text}
    </span>
  );
}
