"use client";

import { ListTree, Plus } from "lucide-react";
import Link from "next/link";
import { useState } from "react";
import { usePolled } from "@/_api/polling";
import { queuePageQuery } from "@/_api/queries";
import type { Queue } from "@/_api/types";
import { listHref } from "@/_components/jobs/search-params";
import { count, formatCompact, formatNumber } from "@/_components/numbers";
import { visible } from "@/_components/text/visible";
import { formatCoarse } from "@/_components/time/format";
import { buttonClass } from "@/_components/ui/button";
import { cx } from "@/_components/ui/cx";
import { Input } from "@/_components/ui/field";
import { Card, Skeleton } from "@/_components/ui/surface";
import { useRowKeys } from "@/_components/ui/use-row-keys";
import { EmptyState, ErrorState } from "@/_components/ui/view-states";

const OLD_SECONDS = 60;

/** The queues of the last 30 days, those with most work first: how much, and for how long already. */
export function QueueTable() {
  const [typed, setTyped] = useState("");
  const prefix = typed
    .toLowerCase()
    .replace(/[^a-z0-9_-]|^[_-]+/g, "")
    .slice(0, 63);
  const { data: page, isError, error, refetch } = usePolled(queuePageQuery(prefix));
  const data = page?.queues;
  useRowKeys();
  if (!data) {
    return (
      <Card>{isError ? <ErrorState error={error} onRetry={() => void refetch()} /> : <QueueSkeleton />}</Card>
    );
  }
  if (data.length === 0 && typed === "") {
    return (
      <Card>
        <EmptyState
          title="No queues yet"
          action={
            <Link href="/create" className={buttonClass()}>
              <Plus /> New job
            </Link>
          }
        >
          A queue appears here once a job has named it, and for 30 days after its last job. It needs no
          setting up: a job names it.
        </EmptyState>
      </Card>
    );
  }
  const deepest = Math.max(1, ...data.map((queue) => queue.depth));
  return (
    <div className="flex flex-col gap-3">
      <div className="flex flex-wrap items-center justify-between gap-3">
        <Input
          type="search"
          aria-label="Beginning of the queue's name"
          placeholder="Beginning of a name"
          value={typed}
          onChange={({ target }) => setTyped(target.value)}
          className="max-w-64"
        />
        <p role="status" className="tabular text-xs text-ink-faint">
          {data.length === 0
            ? "No queue begins like this."
            : data.length < page.total
              ? `The ${formatNumber(data.length)} with most work, of ${formatNumber(page.total)}`
              : count(page.total, "queue")}
        </p>
      </div>
      <Card>
        <table className="w-full table-fixed text-left">
          <thead>
            <tr className="h-9 border-b border-line text-xs text-ink-faint [&>th]:font-medium">
              <th scope="col" className="pr-2 pl-4">
                Queue
              </th>
              <th scope="col" className="w-14 px-2 text-right sm:w-24">
                Due
              </th>
              <th scope="col" className="hidden w-40 px-2 xl:table-cell">
                <span className="sr-only">Depth as a bar</span>
              </th>
              <th scope="col" className="hidden w-24 px-2 text-right sm:table-cell">
                Later
              </th>
              <th scope="col" className="w-18 px-2 text-right sm:w-24">
                Running
              </th>
              <th scope="col" className="w-18 pr-4 pl-2 text-right sm:w-28">
                Oldest
              </th>
            </tr>
          </thead>
          <tbody>
            {data.map((queue) => (
              <QueueRow key={queue.name} queue={queue} share={queue.depth / deepest} />
            ))}
          </tbody>
        </table>
      </Card>
    </div>
  );
}

function QueueRow({ queue, share }: { queue: Queue; share: number }) {
  const old = queue.oldest_pending_seconds > OLD_SECONDS;
  const idle = queue.depth + queue.scheduled + queue.running === 0;
  return (
    <tr
      className={cx(
        "relative h-12 border-b border-line last:border-0 focus-within:bg-hover hover:bg-hover [&>td]:tabular",
        idle ? "text-ink-faint" : "text-ink-soft",
      )}
    >
      <th
        scope="row"
        className={cx("py-2 pr-2 pl-4 break-all", idle ? "font-normal" : "font-medium text-ink")}
      >
        <Link
          href={listHref({ queue: queue.name })}
          prefetch={false}
          data-row={queue.name}
          className="outline-none after:absolute after:inset-0 focus-visible:after:ring-2 focus-visible:after:ring-focus focus-visible:after:ring-inset"
        >
          <ListTree aria-hidden className="mr-2.5 hidden size-4 align-[-3px] text-ink-faint sm:inline" />
          {visible(queue.name)}
        </Link>
      </th>
      <td className={cx("px-2 text-right", queue.depth > 0 && "text-ink")}>
        <Amount n={queue.depth} />
      </td>
      <td className="hidden px-2 xl:table-cell">
        <span aria-hidden className="block h-1.5 overflow-hidden rounded-full bg-neutral-wash">
          <span
            className="block h-full origin-left rounded-full bg-neutral transition-transform"
            style={{ transform: `scaleX(${share})` }}
          />
        </span>
      </td>
      <td className="hidden px-2 text-right sm:table-cell">
        <Amount n={queue.scheduled} />
      </td>
      <td className="px-2 text-right">
        <Amount n={queue.running} />
      </td>
      <td className={cx("pr-4 pl-2 text-right whitespace-nowrap", old && "font-medium text-amber")}>
        {queue.depth > 0 ? formatCoarse(queue.oldest_pending_seconds * 1000) : "–"}
      </td>
    </tr>
  );
}

/** A number whole; on a phone in few digits, so that names keep their room. */
function Amount({ n }: { n: number }) {
  const few = formatCompact(n);
  const whole = formatNumber(n);
  if (few === whole) return whole;
  return (
    <>
      <span className="sm:hidden">{few}</span>
      <span className="hidden sm:inline">{whole}</span>
    </>
  );
}

function QueueSkeleton() {
  return (
    <div role="status" aria-label="Loading the queues">
      <div className="h-9 border-b border-line" />
      {["a", "b", "c"].map((row) => (
        <div
          key={row}
          className="flex h-12 items-center justify-between border-b border-line px-4 last:border-0"
        >
          <Skeleton className="h-3.5 w-32" />
          <Skeleton className="h-3.5 w-12" />
        </div>
      ))}
    </div>
  );
}
