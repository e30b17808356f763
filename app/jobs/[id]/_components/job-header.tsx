"use client";

import { usePolled } from "@/_api/polling";
import { workersQuery } from "@/_api/queries";
import type { JobDetail } from "@/_api/types";
import { StateBadge } from "@/_components/job-state";
import { visible } from "@/_components/text/visible";
import { useTime } from "@/_components/time/clock";
import { AsOf } from "@/_components/time/stale";
import { CopyButton } from "@/_components/ui/copy";
import { ProgressBar } from "@/_components/ui/progress-bar";
import { useWorkerName } from "@/_components/worker-name";
import { JobActions } from "./job-actions";
import { jobSentence } from "./sentence";

/** What it is, how it stands in one sentence, and what can be done. */
export function JobHeader({ job, since }: { job: JobDetail; since: number }) {
  const workers = usePolled({ ...workersQuery(), enabled: job.status === "pending" }, 3);
  const known = workers.isError ? undefined : workers.data;
  const worker = useWorkerName(job.status === "processing" ? job.worker_id : undefined);
  const sentence = useTime((now) => jobSentence(job, now, known, worker));
  return (
    <header className="flex min-h-[6.25rem] flex-col gap-2">
      <div className="flex flex-wrap items-center justify-between gap-x-6 gap-y-3">
        <div className="flex min-w-0 flex-wrap items-center gap-x-3 gap-y-1">
          <h1 className="text-xl font-semibold tracking-tight break-words">{visible(job.type)}</h1>
          <StateBadge state={job.state} large />
        </div>
        <JobActions job={job} />
      </div>
      <p className="tabular max-w-4xl text-[0.9375rem] leading-6 break-words text-ink-soft">
        {since > 0 && (
          <>
            Not refreshed, <AsOf since={since} />:{" "}
          </>
        )}
        {visible(sentence)}
      </p>
      <div className="flex items-center text-ink-faint">
        <span className="font-mono text-xs break-all">{job.id}</span>
        <CopyButton text={job.id} what="id" />
      </div>
      {(job.state === "running" || job.state === "cancelling") && <LiveProgress job={job} />}
    </header>
  );
}

function LiveProgress({ job }: { job: JobDetail }) {
  const { progress } = job;
  return (
    <div className="flex flex-col gap-1.5">
      <ProgressBar percent={progress?.percent ?? 0} label="Progress" />
      <p className="tabular flex min-h-4 gap-2.5 text-xs text-ink-faint">
        {progress ? (
          <>
            <span className="whitespace-nowrap text-ink">{Math.floor(progress.percent)} %</span>
            <span className="min-w-0 break-words">{visible(progress.message)}</span>
          </>
        ) : (
          "No progress reported yet"
        )}
      </p>
    </div>
  );
}
