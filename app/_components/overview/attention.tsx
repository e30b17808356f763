"use client";

import { ArrowRight, ChevronDown, CircleCheck, CircleHelp, OctagonX, TriangleAlert } from "lucide-react";
import Link from "next/link";
import { type ReactNode, useEffect, useId, useRef, useState } from "react";
import { usePolled } from "@/_api/polling";
import { metricsQuery, queuesQuery, readinessQuery, workersQuery } from "@/_api/queries";
import { visible } from "../text/visible";
import { serverNow } from "../time/clock";
import { AsOf, useStaleSince } from "../time/stale";
import { Clamp } from "../ui/clamp";
import { cx } from "../ui/cx";
import { Card, Skeleton } from "../ui/surface";
import { TONES } from "../ui/tone";
import { type Concern, concerns } from "./concerns";

const SELDOM = 3;

// One line, whatever there is to say: what comes and goes here must not move the list below. More than the worst
// concern opens above the page.
const PLACE = "h-[3.75rem] sm:h-11";

/** What needs a person, or the word that nothing does. */
export function Attention() {
  const metrics = usePolled(metricsQuery());
  const queues = usePolled(queuesQuery(), SELDOM);
  const workers = usePolled(workersQuery(), SELDOM);
  const readiness = usePolled(readinessQuery(), SELDOM);
  const since = useStaleSince(
    metricsQuery().queryKey,
    queuesQuery().queryKey,
    workersQuery().queryKey,
    readinessQuery().queryKey,
  );
  // What failed and never answered has no age.
  const failed = [metrics, queues, workers, readiness].some(({ isError }) => isError);
  if (!metrics.data || !queues.data || !workers.data || !(readiness.data || failed)) {
    return failed ? (
      <Line icon={<CircleHelp aria-hidden className="size-4" />}>
        It is not known whether anything needs attention.
      </Line>
    ) : (
      <Card className={cx("flex items-center px-4", PLACE)}>
        <Skeleton className="h-3.5 w-56" />
      </Card>
    );
  }
  const list = concerns({
    metrics: metrics.data,
    queues: queues.data,
    workers: workers.data,
    redisDegraded: readiness.data?.redis === "degraded",
    now: since || serverNow(),
  });
  if (list.length > 0) return <Concerns list={list} since={since} />;
  if (since > 0 || failed) {
    return (
      <Line stale icon={<CircleHelp aria-hidden className="size-4" />}>
        {since > 0 ? (
          <>
            Nothing needed attention <AsOf since={since} />. What is now is not known.
          </>
        ) : (
          "It is not known whether anything needs attention."
        )}
      </Line>
    );
  }
  return (
    <Line icon={<CircleCheck aria-hidden className="size-4 text-green" />}>Nothing needs attention.</Line>
  );
}

function Line({ icon, stale = false, children }: { icon: ReactNode; stale?: boolean; children: ReactNode }) {
  return (
    <Card
      data-stale={stale || undefined}
      className={cx(
        "flex items-center gap-2.5 px-4 [&>svg]:shrink-0",
        PLACE,
        stale ? "text-ink-faint" : "text-ink-soft",
      )}
    >
      {icon}
      <span className="line-clamp-2">{children}</span>
    </Card>
  );
}

function Concerns({ list, since }: { list: Concern[]; since: number }) {
  const [open, setOpen] = useState(false);
  const box = useRef<HTMLElement>(null);
  const id = useId();
  const all = open && list.length > 1;
  useEffect(() => {
    if (!all) return;
    function close(event: Event) {
      const inside = event.target instanceof Node && box.current?.contains(event.target);
      if (event instanceof KeyboardEvent ? event.key === "Escape" : !inside) setOpen(false);
    }
    document.addEventListener("keydown", close);
    document.addEventListener("pointerdown", close);
    return () => {
      document.removeEventListener("keydown", close);
      document.removeEventListener("pointerdown", close);
    };
  }, [all]);
  return (
    <section ref={box} aria-labelledby={`${id}-title`} className={cx("relative", PLACE)}>
      <h2 id={`${id}-title`} className="sr-only">
        Needs attention
      </h2>
      <Card
        id={id}
        data-stale={since > 0 || undefined}
        className={cx("absolute inset-x-0 top-0", all && "z-30 shadow-float!", since > 0 && "grayscale")}
      >
        <ul className="divide-y divide-line">
          {(all ? list : list.slice(0, 1)).map((concern, index) => (
            <ConcernRow key={concern.id} concern={concern} since={since}>
              {index === 0 && list.length > 1 && (
                <button
                  type="button"
                  aria-expanded={all}
                  aria-controls={id}
                  onClick={() => setOpen(!open)}
                  className="tabular inline-flex h-8 w-full items-center justify-center gap-1 rounded-md text-xs font-medium text-ink-soft ring-1 ring-line ring-inset hover:bg-hover hover:text-ink"
                >
                  {all ? "Less" : `${list.length - 1} more`}
                  <ChevronDown aria-hidden className={cx("size-3.5", all && "rotate-180")} />
                </button>
              )}
            </ConcernRow>
          ))}
        </ul>
      </Card>
    </section>
  );
}

type ConcernRowProps = { concern: Concern; since: number; children: ReactNode };

function ConcernRow({ concern: { tone, text, action, href }, since, children }: ConcernRowProps) {
  const Icon = tone === "red" ? OctagonX : TriangleAlert;
  return (
    <li className={cx("flex items-center gap-2.5 pr-2 pl-4", PLACE)}>
      <Icon aria-hidden className={cx("size-4 shrink-0", TONES[tone].text)} />
      <span className="tabular flex min-w-0 grow flex-wrap gap-x-1">
        <Clamp text={text} />
        {since > 0 && (
          <span className="text-ink-faint">
            (<AsOf since={since} />)
          </span>
        )}
      </span>
      {/* Its room is kept, so that nothing beside it moves. */}
      <span className="w-20 shrink-0">{children}</span>
      <Link
        href={href}
        prefetch={false}
        aria-label={`${action}: ${visible(text)}`}
        className="inline-flex h-8 shrink-0 items-center gap-1 rounded-md px-2.5 text-xs font-medium text-ink-soft hover:bg-hover hover:text-ink"
      >
        {action}
        <ArrowRight aria-hidden className="size-3.5" />
      </Link>
    </li>
  );
}
