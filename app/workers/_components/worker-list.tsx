"use client";

import { CircleCheck, CircleSlash, TriangleAlert } from "lucide-react";
import type { ReactNode } from "react";
import { usePolled } from "@/_api/polling";
import { workersQuery } from "@/_api/queries";
import type { Worker } from "@/_api/types";
import { idTail } from "@/_components/id";
import { count } from "@/_components/numbers";
import { SILENT_MS } from "@/_components/overview/concerns";
import { useTime } from "@/_components/time/clock";
import { RelativeTime } from "@/_components/time/relative-time";
import { CopyButton } from "@/_components/ui/copy";
import { cx } from "@/_components/ui/cx";
import { Card, Skeleton } from "@/_components/ui/surface";
import { TONES } from "@/_components/ui/tone";
import { EmptyState, ErrorState } from "@/_components/ui/view-states";

const MOST_PIPS = 40;

/** Every worker process that lives: what it does and when it last said so. */
export function WorkerList() {
  const { data, isError, error, refetch } = usePolled(workersQuery());
  if (!data) {
    return isError ? (
      <Card>
        <ErrorState error={error} onRetry={() => void refetch()} />
      </Card>
    ) : (
      <div role="status" aria-label="Loading the workers" className="grid gap-4 lg:grid-cols-2">
        <Card className="flex h-[14.5rem] flex-col gap-4 p-5">
          <Skeleton className="h-5 w-40" />
          <Skeleton className="h-4 w-full" />
          <Skeleton className="h-4 w-64" />
        </Card>
      </div>
    );
  }
  if (data.length === 0) {
    return (
      <Card>
        <EmptyState title="No worker is running">
          Jobs are accepted and kept, but none starts. Start a worker process: it shows up here within a
          second.
        </EmptyState>
      </Card>
    );
  }
  return (
    <ul className="grid gap-4 lg:grid-cols-2">
      {data.map((worker) => (
        <WorkerCard key={worker.id} worker={worker} />
      ))}
    </ul>
  );
}

function WorkerCard({ worker }: { worker: Worker }) {
  return (
    <li className="flex min-h-[14.5rem] flex-col gap-4 rounded-lg bg-surface p-4 shadow-card ring-1 ring-line sm:p-5">
      <div className="flex items-start justify-between gap-4">
        <div className="min-w-0">
          <h2 className="truncate text-base font-semibold" title={worker.hostname}>
            {worker.hostname}
          </h2>
          <p className="flex items-center text-xs text-ink-faint">
            <span className="font-mono" title={worker.id}>
              …{idTail(worker.id)}
            </span>
            <CopyButton text={worker.id} what="worker id" className="-my-1" />
            process {worker.pid} · version {worker.version}
          </p>
        </div>
        <Health worker={worker} />
      </div>
      <Slots worker={worker} />
      <dl className="grid grid-cols-3 gap-x-4 gap-y-1 text-xs">
        <Fact name="Heartbeat">
          <RelativeTime at={worker.last_heartbeat_at} />
        </Fact>
        <Fact name="Last completion">
          {worker.last_completion_at ? <RelativeTime at={worker.last_completion_at} /> : "none yet"}
        </Fact>
        <Fact name="Started">
          <RelativeTime at={worker.started_at} />
        </Fact>
      </dl>
      <Names title="Types" names={worker.types} none="none" />
      <Names title="Queues" names={worker.queues} none="all" />
    </li>
  );
}

function Health({ worker }: { worker: Worker }) {
  const silent = useTime((now) => now - Date.parse(worker.last_heartbeat_at) > SILENT_MS);
  const [tone, Icon, word] = silent
    ? (["amber", TriangleAlert, "Silent"] as const)
    : worker.state === "draining"
      ? (["neutral", CircleSlash, "Shutting down"] as const)
      : (["green", CircleCheck, "Alive"] as const);
  return (
    <span
      className={cx(
        "inline-flex h-6 shrink-0 items-center gap-1.5 rounded-md px-2 text-xs font-medium",
        TONES[tone].badge,
      )}
    >
      <Icon aria-hidden className="size-3.5" />
      {word}
    </span>
  );
}

/** A small box for each slot, filled where a job runs. */
function Slots({ worker }: { worker: Worker }) {
  const pips = Array.from({ length: Math.min(worker.slots, MOST_PIPS) }, (_, i) => `${i}`);
  return (
    <div className="flex flex-col gap-1.5">
      <p className="tabular text-ink-soft">
        <span className="font-medium text-ink">{worker.running}</span> of {count(worker.slots, "slot")} busy
      </p>
      <div aria-hidden className="flex flex-wrap gap-1">
        {pips.map((pip, i) => (
          <span
            key={pip}
            className={cx(
              "h-3 w-5 rounded-sm transition-colors",
              i < worker.running ? "bg-blue" : "bg-neutral-wash",
            )}
          />
        ))}
      </div>
    </div>
  );
}

function Fact({ name, children }: { name: string; children: ReactNode }) {
  return (
    <div className="min-w-0">
      <dt className="truncate text-ink-faint">{name}</dt>
      <dd className="tabular text-sm">{children}</dd>
    </div>
  );
}

function Names({ title, names, none }: { title: string; names: string[]; none: string }) {
  return (
    <p className="flex flex-wrap items-center gap-1.5 text-xs">
      <span className="w-12 shrink-0 text-ink-faint">{title}</span>
      {names.length === 0 && <span>{none}</span>}
      {names.map((name) => (
        <span key={name} className="rounded bg-neutral-wash px-1.5 py-0.5 font-mono text-neutral">
          {name}
        </span>
      ))}
    </p>
  );
}
