"use client";

import type { JobSummary } from "@/_api/types";
import { visible } from "../text/visible";
import { useTime } from "../time/clock";
import { formatDuration } from "../time/format";
import { Countdown, Elapsed } from "../time/relative-time";
import { Clamp } from "../ui/clamp";
import { cx } from "../ui/cx";
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
        <span className="flex min-w-0 flex-wrap gap-x-2 py-1 text-xs">
          <span className="tabular shrink-0 whitespace-nowrap text-ink-soft">
            <StartsIn what={job.state === "retrying" ? "Retry" : "Starts"} at={job.run_at} />
          </span>
          {!short && <ErrorText text={error} lines={1} className="grow basis-40" />}
        </span>
      );
    case "dead":
    case "cancelled":
      return <ErrorText text={error} />;
    case "completed":
      return (
        <span className="tabular block text-xs text-ink-faint">
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
    <span className="flex min-w-0 flex-wrap items-center gap-x-2.5 py-1 text-xs">
      <ProgressBar
        percent={progress.percent}
        label={`Progress of ${visible(job.type)}`}
        className="w-16 shrink-0 lg:w-24"
      />
      <span className="tabular w-9 shrink-0 text-ink-soft">{Math.floor(progress.percent)} %</span>
      {!short && progress.message && (
        <Clamp text={progress.message} lines={1} className="grow basis-40 text-ink-faint" />
      )}
    </span>
  );
}

/** Its height stays within the row's: two lines alone, one beside something else that may wrap. */
function ErrorText({ text, lines = 2, className }: { text: string; lines?: 1 | 2; className?: string }) {
  if (text === "") return null;
  return <Clamp text={text} lines={lines} className={cx("text-xs text-ink-faint", className)} />;
}
