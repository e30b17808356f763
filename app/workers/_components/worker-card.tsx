"use client";

import { CircleCheck, CircleSlash, TriangleAlert, Unplug } from "lucide-react";
import Link from "next/link";
import type { ReactNode } from "react";
import type { JobSummary, Worker } from "@/_api/types";
import { idTail } from "@/_components/id";
import { listHref } from "@/_components/jobs/search-params";
import { count } from "@/_components/numbers";
import { SILENT_MS } from "@/_components/overview/concerns";
import { visible } from "@/_components/text/visible";
import { useTime } from "@/_components/time/clock";
import { Elapsed, RelativeTime } from "@/_components/time/relative-time";
import { CopyButton } from "@/_components/ui/copy";
import { cx } from "@/_components/ui/cx";
import { TONES } from "@/_components/ui/tone";
import { workerHref, workerName } from "@/_components/worker-name";

const MOST_PIPS = 40;
const MOST_JOBS = 5; // on a card among others

type WorkerCardProps = {
  worker: Worker;
  /** Those that it runs; undefined while nobody knows. */
  jobs: JobSummary[] | undefined;
  /** How many these are. The worker's own number is that of its last heartbeat. */
  running: number;
  /** Shows all jobs, and no link to the worker itself. */
  all?: boolean;
};

export function WorkerCard({ worker, jobs, running, all = false }: WorkerCardProps) {
  const name = workerName(worker);
  const ended = worker.state === "dead";
  return (
    <article
      aria-label={`Worker ${name}`}
      className="flex min-h-[15.5rem] flex-col gap-4 rounded-lg bg-surface p-4 shadow-card ring-1 ring-line sm:p-5"
    >
      <div className="flex items-start justify-between gap-4">
        <div className="min-w-0">
          <h2 className="text-base font-semibold break-words">
            {all ? (
              name
            ) : (
              <Link
                href={workerHref(worker.id)}
                prefetch={false}
                data-row={worker.id}
                className="rounded-sm hover:underline"
              >
                {name}
              </Link>
            )}
          </h2>
          <p className="flex flex-wrap items-center text-xs text-ink-faint">
            <span className="mr-1.5 break-all">version {visible(worker.version)}</span>
            <span className="font-mono break-all">{all ? worker.id : `…${idTail(worker.id)}`}</span>
            <CopyButton text={worker.id} what="worker id" className="-my-1" />
          </p>
        </div>
        <Health worker={worker} />
      </div>
      {!ended && <Slots slots={worker.slots} running={running} />}
      {jobs && jobs.length > 0 && (
        <Jobs jobs={jobs} worker={worker} running={running} most={all ? jobs.length : MOST_JOBS} />
      )}
      <dl className="grid grid-cols-3 gap-x-4 gap-y-1 text-xs">
        <Fact name="Heartbeat">
          <RelativeTime at={worker.last_heartbeat_at} />
        </Fact>
        {worker.ended_at ? (
          <Fact name="Ended">
            <RelativeTime at={worker.ended_at} />
          </Fact>
        ) : (
          <Fact name="Completed a job">
            {worker.last_completion_at ? <RelativeTime at={worker.last_completion_at} /> : "none yet"}
          </Fact>
        )}
        <Fact name="Started">
          <RelativeTime at={worker.started_at} />
        </Fact>
      </dl>
      <div className="flex flex-col gap-2">
        <Names title="Types" names={worker.types} none="none" href={(type) => listHref({ type })} />
        <Names title="Queues" names={worker.queues} none="all" href={(queue) => listHref({ queue })} />
      </div>
    </article>
  );
}

export function Health({ worker }: { worker: Worker }) {
  const silent = useTime((now) => now - Date.parse(worker.last_heartbeat_at) > SILENT_MS);
  const [tone, Icon, word] = worker.lost
    ? (["amber", Unplug, "Lost"] as const)
    : worker.state === "dead"
      ? (["neutral", CircleSlash, "Ended"] as const)
      : silent
        ? (["amber", TriangleAlert, "Silent"] as const)
        : worker.state === "draining"
          ? (["neutral", CircleSlash, "Shutting down"] as const)
          : (["green", CircleCheck, "Alive"] as const);
  return (
    <span
      className={cx(
        "inline-flex h-6 shrink-0 items-center gap-1.5 rounded-md px-2 text-xs font-medium whitespace-nowrap",
        TONES[tone].badge,
      )}
    >
      <Icon aria-hidden className="size-3.5" />
      {word}
    </span>
  );
}

/** A small box for each slot, filled where a job runs. */
function Slots({ slots, running }: { slots: number; running: number }) {
  const pips = Array.from({ length: Math.min(slots, MOST_PIPS) }, (_, i) => `${i}`);
  return (
    <div className="flex flex-col gap-1.5">
      <p className="tabular text-ink-soft">
        <span className="font-medium text-ink">{running}</span> of {count(slots, "slot")} busy
      </p>
      <div aria-hidden className="flex flex-wrap gap-1">
        {pips.map((pip, i) => (
          <span
            key={pip}
            className={cx(
              "h-3 w-5 rounded-sm transition-colors",
              i < running ? "bg-blue" : "bg-neutral-wash",
            )}
          />
        ))}
      </div>
    </div>
  );
}

type JobsProps = { jobs: JobSummary[]; worker: Worker; running: number; most: number };

/** What it runs, the longest running first. */
function Jobs({ jobs, worker, running, most }: JobsProps) {
  const sorted = [...jobs].sort((a, b) => (a.started_at ?? "").localeCompare(b.started_at ?? ""));
  const rest = Math.max(sorted.length, running) - most;
  return (
    <ul aria-label="Jobs that it runs" className="-mx-2 flex flex-col">
      {sorted.slice(0, most).map((job) => (
        <li key={job.id}>
          <Link
            href={`/jobs/${job.id}`}
            prefetch={false}
            data-row={job.id}
            className="flex min-h-8 items-center gap-3 rounded-md px-2 py-1 hover:bg-hover"
          >
            <span className="min-w-0 font-medium break-words">{visible(job.type)}</span>
            <span className="font-mono text-xs text-ink-faint">…{idTail(job.id)}</span>
            <span className="tabular ml-auto text-xs whitespace-nowrap text-ink-faint">
              {job.progress && `${Math.floor(job.progress.percent)} %, `}
              {job.started_at && (
                <>
                  for <Elapsed since={job.started_at} />
                </>
              )}
            </span>
          </Link>
        </li>
      ))}
      {rest > 0 && (
        <li className="px-2 py-1">
          <Link
            href={workerHref(worker.id)}
            prefetch={false}
            className="text-xs text-ink-soft underline decoration-line-strong underline-offset-4"
          >
            {count(rest, "job")} more
          </Link>
        </li>
      )}
    </ul>
  );
}

function Fact({ name, children }: { name: string; children: ReactNode }) {
  return (
    <div className="min-w-0">
      <dt className="text-ink-faint">{name}</dt>
      <dd className="tabular text-sm">{children}</dd>
    </div>
  );
}

type NamesProps = { title: string; names: string[]; none: string; href: (name: string) => string };

function Names({ title, names, none, href }: NamesProps) {
  return (
    <p className="flex flex-wrap items-center gap-1.5 text-xs">
      <span className="w-12 shrink-0 text-ink-faint">{title}</span>
      {names.length === 0 && <span>{none}</span>}
      {names.map((name) => (
        <Link
          key={name}
          href={href(name)}
          prefetch={false}
          className="rounded bg-neutral-wash px-1.5 py-0.5 font-mono break-all text-neutral hover:bg-line"
        >
          {visible(name)}
        </Link>
      ))}
    </p>
  );
}
