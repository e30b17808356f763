"use client";

import Link from "next/link";
import type { ReactNode } from "react";
import { usePolled } from "@/_api/polling";
import { metricsQuery } from "@/_api/queries";
import type { Metrics } from "@/_api/types";
import { listHref } from "../jobs/search-params";
import { count, formatCompact, formatNumber } from "../numbers";
import { formatCoarse } from "../time/format";
import { cx } from "../ui/cx";
import { Card, Skeleton } from "../ui/surface";
import { TONES, type Tone } from "../ui/tone";

type Tile = { label: string; href: string; read: (m: Metrics) => Reading };
type Reading = { value: string; exact?: string; note: string; tone?: Tone; share?: number };

const TILES: readonly Tile[] = [
  { label: "Waiting", href: listHref({ state: "waiting" }), read: waiting },
  { label: "Running", href: listHref({ state: "running" }), read: running },
  { label: "Failure rate", href: "/dead", read: failureRate },
  { label: "Dead", href: "/dead", read: dead },
];

function waiting(m: Metrics): Reading {
  const later = m.scheduled + m.retrying;
  const oldest = m.oldest_pending_seconds * 1000;
  return {
    value: formatCompact(m.queue_length),
    exact: formatNumber(m.queue_length),
    note:
      m.queue_length > 0
        ? `oldest for ${formatCoarse(oldest)}`
        : later > 0
          ? `${formatNumber(later)} due later`
          : "nothing is due",
    ...(oldest > 60_000 ? { tone: "amber" as const } : {}),
  };
}

function running(m: Metrics): Reading {
  return {
    value: formatCompact(m.active_jobs),
    note:
      m.slots > 0 ? `of ${count(m.slots, "slot")} on ${count(m.workers, "worker")}` : "no worker is there",
    share: m.slots > 0 ? Math.min(1, m.active_jobs / m.slots) : 0,
    ...(m.workers === 0 ? { tone: "amber" as const } : {}),
  };
}

function failureRate(m: Metrics): Reading {
  const all = m.completed_last_minute + m.failed_last_minute;
  const rate = all > 0 ? (100 * m.failed_last_minute) / all : 0;
  return {
    value: all > 0 ? `${rate > 0 && rate < 1 ? "<1" : Math.round(rate)} %` : "–",
    note:
      all > 0
        ? `${formatNumber(m.failed_last_minute)} of ${count(all, "job")} in the last minute`
        : "nothing ended lately",
    ...(rate >= 25 && all >= 4 ? { tone: "red" as const } : {}),
  };
}

function dead(m: Metrics): Reading {
  return {
    value: formatCompact(m.dead),
    exact: formatNumber(m.dead),
    note: m.dead > 0 ? "in the dead-letter queue" : "no dead letters",
    ...(m.dead > 0 ? { tone: "red" as const } : {}),
  };
}

/** The four numbers to look at first. */
export function Tiles() {
  const { data } = usePolled(metricsQuery());
  return (
    <section aria-label="Numbers" className="grid grid-cols-2 gap-3 lg:grid-cols-4">
      {TILES.map((tile) => (
        <TileCard key={tile.label} tile={tile} reading={data && tile.read(data)} />
      ))}
    </section>
  );
}

function TileCard({ tile, reading }: { tile: Tile; reading: Reading | undefined }) {
  return (
    <Card className="relative flex min-h-[6.25rem] flex-col overflow-hidden px-4 py-3.5 transition-colors hover:bg-hover">
      <Link
        href={tile.href}
        prefetch={false}
        className="text-xs font-medium text-ink-faint after:absolute after:inset-0 after:rounded-lg"
      >
        {tile.label}
      </Link>
      {reading ? <ReadingText reading={reading} /> : <Waiting />}
    </Card>
  );
}

function ReadingText({ reading }: { reading: Reading }): ReactNode {
  const { value, exact, note, tone, share } = reading;
  return (
    <>
      <p
        title={exact}
        className={cx(
          "tabular mt-1 text-[1.75rem] leading-9 font-semibold tracking-tight",
          tone && TONES[tone].text,
        )}
      >
        {value}
      </p>
      <p className="tabular truncate text-xs text-ink-faint" title={note}>
        {note}
      </p>
      {share !== undefined && (
        <span aria-hidden className="absolute inset-x-0 bottom-0 h-0.5 bg-neutral-wash">
          <span
            className="block h-full origin-left bg-blue transition-transform"
            style={{ transform: `scaleX(${share})` }}
          />
        </span>
      )}
    </>
  );
}

function Waiting() {
  return (
    <>
      <Skeleton className="mt-2.5 h-6 w-16" />
      <Skeleton className="mt-3 h-3 w-32" />
    </>
  );
}
