"use client";

import Link from "next/link";
import { useState } from "react";
import { usePolled } from "@/_api/polling";
import { endedWorkersQuery } from "@/_api/queries";
import type { Worker } from "@/_api/types";
import { count } from "@/_components/numbers";
import { visible } from "@/_components/text/visible";
import { formatSeconds } from "@/_components/time/format";
import { RelativeTime } from "@/_components/time/relative-time";
import { Button } from "@/_components/ui/button";
import { Card, Section } from "@/_components/ui/surface";
import { workerHref, workerName } from "@/_components/worker-name";
import { Health } from "./worker-card";

const SELDOM = 3;
const FIRST = 20;

/** The workers of the last 24 hours that are no more. The lost ones are those that somebody should look after. */
export function EndedWorkers() {
  const ended = usePolled(endedWorkersQuery(), SELDOM).data;
  const [whole, setWhole] = useState(false);
  if (!ended || ended.length === 0) return null;
  const lost = ended.filter((worker) => worker.lost).length;
  const shown = whole ? ended : ended.slice(0, FIRST);
  return (
    <Section
      title="Ended in the last 24 hours"
      aside={
        <span className="text-xs text-ink-faint">
          {count(ended.length, "worker")}
          {lost > 0 && `, ${lost} lost`}
        </span>
      }
    >
      <Card>
        <ul className="divide-y divide-line">
          {shown.map((worker) => (
            <EndedRow key={worker.id} worker={worker} />
          ))}
        </ul>
      </Card>
      {ended.length > shown.length && (
        <div>
          <Button size="small" onClick={() => setWhole(true)}>
            Show all {ended.length}
          </Button>
        </div>
      )}
    </Section>
  );
}

function EndedRow({ worker }: { worker: Worker }) {
  const ran = Date.parse(worker.ended_at ?? worker.last_heartbeat_at) - Date.parse(worker.started_at);
  return (
    <li className="relative flex min-h-11 flex-wrap items-center gap-x-4 gap-y-1 px-4 py-2 focus-within:bg-hover hover:bg-hover">
      <Link
        href={workerHref(worker.id)}
        prefetch={false}
        data-row={worker.id}
        className="min-w-0 font-medium break-words outline-none after:absolute after:inset-0 focus-visible:after:ring-2 focus-visible:after:ring-focus focus-visible:after:ring-inset"
      >
        {workerName(worker)}
      </Link>
      <span className="text-xs break-all text-ink-faint">version {visible(worker.version)}</span>
      <span className="tabular ml-auto text-xs text-ink-faint">
        {worker.ended_at && <RelativeTime at={worker.ended_at} />}, ran for {formatSeconds(ran)}
      </span>
      <Health worker={worker} />
    </li>
  );
}
