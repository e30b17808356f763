"use client";

import Link from "next/link";
import type { ReactNode } from "react";
import { usePolled } from "@/_api/polling";
import { metricsQuery } from "@/_api/queries";
import type { Metrics } from "@/_api/types";
import { listHref } from "../jobs/search-params";
import { AsOf, useStaleSince } from "../time/stale";
import { cx } from "../ui/cx";
import { Card, Skeleton } from "../ui/surface";
import { TONES } from "../ui/tone";
import { dueNow, failureRate, dead as inDeadLetters, type Reading, running } from "./readings";

// A tile that counts jobs opens exactly these. The failure rate counts attempts, which no list shows.
type Tile = { label: string; hint: string; href?: string; read: (m: Metrics) => Reading };

const TILES: readonly Tile[] = [
  {
    label: "Due now",
    hint: "Jobs that could start: those that wait for their first attempt, and retries whose time has come",
    href: listHref({ due: true }),
    read: dueNow,
  },
  {
    label: "Running",
    hint: "Jobs that a worker runs",
    href: listHref({ state: "running" }),
    read: running,
  },
  {
    label: "Failure rate (1 min)",
    hint: "Failed attempts among all that ended in the last minute, also where a retry follows. Cancelled ones do not count",
    read: failureRate,
  },
  { label: "Dead", hint: "Jobs in the dead-letter queue", href: "/dead", read: inDeadLetters },
];

/** The four numbers to look at first. */
export function Tiles() {
  const { data } = usePolled(metricsQuery());
  const since = useStaleSince(metricsQuery().queryKey);
  return (
    <section aria-label="Numbers" className="grid grid-cols-2 gap-3 lg:grid-cols-4">
      {TILES.map((tile) => (
        <TileCard key={tile.label} tile={tile} reading={data && tile.read(data)} since={since} />
      ))}
    </section>
  );
}

type TileCardProps = { tile: Tile; reading: Reading | undefined; since: number };

function TileCard({ tile: { label, hint, href }, reading, since }: TileCardProps) {
  return (
    <Card
      data-stale={since > 0 || undefined}
      className={cx(
        "relative flex min-h-[6.25rem] flex-col overflow-hidden px-4 py-3.5 transition-colors",
        href && "hover:bg-hover",
      )}
    >
      {href ? (
        <Link
          href={href}
          prefetch={false}
          title={hint}
          className="text-xs font-medium text-ink-faint after:absolute after:inset-0 after:rounded-lg"
        >
          {label}
        </Link>
      ) : (
        <p title={hint} className="text-xs font-medium text-ink-faint">
          {label}
        </p>
      )}
      {reading ? <ReadingText reading={reading} since={since} /> : <Coming />}
    </Card>
  );
}

function ReadingText({ reading, since }: { reading: Reading; since: number }): ReactNode {
  const { value, exact, note, tone, share } = reading;
  return (
    <>
      <p
        title={exact}
        className={cx(
          "tabular mt-1 text-[1.75rem] leading-9 font-semibold tracking-tight",
          since > 0 ? "text-ink-faint" : tone && TONES[tone].text,
        )}
      >
        {value}
      </p>
      <p className="tabular min-h-8 text-xs text-ink-faint xl:min-h-4">
        {since > 0 ? <AsOf since={since} /> : note}
      </p>
      {share !== undefined && (
        <span aria-hidden className="absolute inset-x-0 bottom-0 h-0.5 bg-neutral-wash">
          <span
            className={cx(
              "block h-full origin-left transition-transform",
              since > 0 ? "bg-line-strong" : "bg-blue",
            )}
            style={{ transform: `scaleX(${share})` }}
          />
        </span>
      )}
    </>
  );
}

function Coming() {
  return (
    <>
      <Skeleton className="mt-2.5 h-6 w-16" />
      <Skeleton className="mt-3 h-3 w-32" />
    </>
  );
}
