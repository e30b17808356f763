"use client";

import { ArrowRight, CircleCheck, OctagonX, TriangleAlert } from "lucide-react";
import Link from "next/link";
import { usePolled } from "@/_api/polling";
import { metricsQuery, queuesQuery, readinessQuery, workersQuery } from "@/_api/queries";
import { serverNow } from "../time/clock";
import { cx } from "../ui/cx";
import { Card, Skeleton } from "../ui/surface";
import { TONES } from "../ui/tone";
import { concerns } from "./concerns";

const SELDOM = 3;

/** What needs a person, or the word that nothing does. Always at least one line, so that nothing below it jumps. */
export function Attention() {
  const metrics = usePolled(metricsQuery()).data;
  const queues = usePolled(queuesQuery(), SELDOM).data;
  const workers = usePolled(workersQuery(), SELDOM).data;
  const readiness = usePolled(readinessQuery(), SELDOM).data;
  if (!metrics || !queues || !workers) {
    return (
      <Card className="flex h-11 items-center px-4">
        <Skeleton className="h-3.5 w-56" />
      </Card>
    );
  }
  const list = concerns({
    metrics,
    queues,
    workers,
    redisDegraded: readiness?.redis === "degraded",
    now: serverNow(),
  });
  if (list.length === 0) {
    return (
      <Card className="flex h-11 items-center gap-2.5 px-4 text-ink-soft">
        <CircleCheck aria-hidden className="size-4 text-green" />
        Nothing needs attention.
      </Card>
    );
  }
  return (
    <Card>
      <h2 className="sr-only">Needs attention</h2>
      <ul className="divide-y divide-line">
        {list.map(({ id, tone, text, action, href }) => {
          const Icon = tone === "red" ? OctagonX : TriangleAlert;
          return (
            <li key={id} className="flex min-h-11 items-center gap-2.5 py-1.5 pr-2 pl-4">
              <Icon aria-hidden className={cx("size-4 shrink-0", TONES[tone].text)} />
              <span className="tabular min-w-0 grow">{text}</span>
              <Link
                href={href}
                prefetch={false}
                aria-label={`${action}: ${text}`}
                className="inline-flex h-8 shrink-0 items-center gap-1 rounded-md px-2.5 text-xs font-medium text-ink-soft hover:bg-hover hover:text-ink"
              >
                {action}
                <ArrowRight aria-hidden className="size-3.5" />
              </Link>
            </li>
          );
        })}
      </ul>
    </Card>
  );
}
