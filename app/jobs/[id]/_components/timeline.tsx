"use client";

import {
  CircleCheck,
  CircleSlash,
  Clock,
  LoaderCircle,
  type LucideIcon,
  OctagonX,
  TimerOff,
  Undo2,
  Unplug,
} from "lucide-react";
import type { JobDetail } from "@/_api/types";
import { firstLine } from "@/_components/jobs/error-line";
import { visible, visibleLines } from "@/_components/text/visible";
import { useTime } from "@/_components/time/clock";
import { formatClock, formatDuration, formatExact, formatSeconds } from "@/_components/time/format";
import { CodeBlock } from "@/_components/ui/code-block";
import { cx } from "@/_components/ui/cx";
import { Card, Section } from "@/_components/ui/surface";
import { TONES, type Tone } from "@/_components/ui/tone";
import { WorkerLink } from "@/_components/worker-name";
import { type Run, type Span, timeline, type Wait, type Why } from "./spans";

const OUTCOMES: Record<Run["outcome"], { label: string; tone: Tone; icon: LucideIcon; bar: string }> = {
  completed: { label: "Completed", tone: "green", icon: CircleCheck, bar: "bg-green" },
  running: { label: "Running", tone: "blue", icon: LoaderCircle, bar: "bg-blue motion-safe:animate-breathe" },
  failed: { label: "Failed", tone: "red", icon: OctagonX, bar: "bg-red" },
  timeout: { label: "Timed out", tone: "red", icon: TimerOff, bar: "bg-red" },
  cancelled: { label: "Cancelled", tone: "neutral", icon: CircleSlash, bar: "bg-neutral" },
  // Not a failure of the job: nobody knows how far it came. Hatched and amber, never red.
  lease_lost: {
    label: "Worker lost",
    tone: "amber",
    icon: Unplug,
    bar: "hatch text-amber ring-1 ring-inset ring-amber",
  },
  released: {
    label: "Handed back",
    tone: "neutral",
    icon: Undo2,
    bar: "hatch text-neutral ring-1 ring-inset ring-neutral",
  },
};

const WAITS: Record<Why, { done: string; open: string }> = {
  delay: { done: "Scheduled for later:", open: "Scheduled for later" },
  start: { done: "Waited", open: "Waiting" },
  backoff: { done: "Backed off", open: "Backing off" },
  retry: { done: "Backoff and wait for a worker:", open: "Backing off" },
  worker: { done: "Waited for a worker", open: "Due, not started yet" },
  idle: { done: "Idle until it was retried by hand:", open: "Retried by hand" },
};

/** All attempts of a job: how long each waited and ran, and how it ended. */
export function Timeline({ job }: { job: JobDetail }) {
  // Once a second while something is open; a finished job never draws anew.
  const over = job.status === "completed" || job.status === "failed";
  const now = useTime((time) => (over ? 0 : Math.floor(time / 1000) * 1000));
  const spans = timeline(job, now);
  return (
    <Section title="Timeline">
      <Card className="flex flex-col gap-3 px-4 pt-4 pb-2">
        <Strip spans={spans} />
        <ol className="flex flex-col">
          {spans.map((span) =>
            span.kind === "run" ? (
              <RunRow key={`run-${span.start}`} run={span} />
            ) : (
              <WaitRow key={`${span.why}-${span.start}`} wait={span} runAt={job.run_at} now={now} />
            ),
          )}
        </ol>
      </Card>
    </Section>
  );
}

/** The same to scale. The shortest spans keep a width that can be seen. */
function Strip({ spans }: { spans: Span[] }) {
  return (
    <div aria-hidden className="flex h-2.5 gap-0.5 overflow-hidden rounded-full">
      {spans.map((span) => (
        <span
          key={`${span.kind}-${span.start}-${span.end}`}
          className={cx(
            "min-w-1 rounded-sm transition-[flex-grow] duration-500",
            span.kind === "run" ? OUTCOMES[span.outcome].bar : "bg-neutral-wash",
          )}
          style={{ flexGrow: Math.max(1, span.end - span.start), flexBasis: 0 }}
        />
      ))}
    </div>
  );
}

function RunRow({ run }: { run: Run }) {
  const { label, tone, icon: Icon } = OUTCOMES[run.outcome];
  const start = new Date(run.start).toISOString();
  return (
    <li
      data-outcome={run.outcome}
      className="grid grid-cols-[1.25rem_minmax(0,1fr)_auto] gap-x-2.5 border-t border-line py-2.5"
    >
      <Icon aria-hidden className={cx("mt-0.5 size-4", TONES[tone].text)} />
      <div className="min-w-0">
        <p className="flex flex-wrap gap-x-2">
          <span className="font-medium">Attempt {run.attempt}</span>
          <span className={TONES[tone].text}>{label}</span>
          <span className="tabular text-ink-faint">
            {run.outcome === "running" ? "for" : "after"}{" "}
            {run.outcome === "running"
              ? formatSeconds(run.end - run.start)
              : formatDuration(run.end - run.start)}
          </span>
          {run.workerId && (
            <span className="text-ink-faint">
              on <WorkerLink id={run.workerId} />
            </span>
          )}
        </p>
        {run.error && <Cause text={run.error} />}
      </div>
      <time dateTime={start} title={formatExact(start)} className="tabular text-xs/5 text-ink-faint">
        {formatClock(start)}
      </time>
    </li>
  );
}

/** An error in one line, with the rest to unfold. */
function Cause({ text }: { text: string }) {
  const head = firstLine(text);
  if (head === text)
    return <p className="mt-0.5 font-mono text-xs/5 break-words text-ink-soft">{visible(head)}</p>;
  return (
    <details className="mt-0.5">
      <summary className="font-mono text-xs/5 break-words text-ink-soft">{visible(head)}</summary>
      <CodeBlock
        label="Stack of this attempt"
        className="mt-1 max-h-60 rounded-md bg-sunken p-3 text-xs/5 text-ink-soft"
      >
        {visibleLines(text.slice(head.length + 1))}
      </CodeBlock>
    </details>
  );
}

function WaitRow({ wait, runAt, now }: { wait: Wait; runAt: string; now: number }) {
  const words = WAITS[wait.why];
  const left = Date.parse(runAt) - now;
  const span = wait.open
    ? left > 0
      ? `, ${formatSeconds(Math.ceil(left / 1000) * 1000)} left`
      : ` for ${formatSeconds(now - wait.start)}`
    : ` ${formatDuration(wait.end - wait.start)}`;
  return (
    <li className="grid grid-cols-[1.25rem_minmax(0,1fr)] gap-x-2.5 border-t border-line py-1.5 text-xs/5 text-ink-faint first:border-0">
      <Clock aria-hidden className="mt-0.5 ml-px size-3.5" />
      <span className="tabular">
        {wait.open ? words.open : words.done}
        {span}
      </span>
    </li>
  );
}
