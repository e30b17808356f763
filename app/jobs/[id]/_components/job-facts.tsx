"use client";

import Link from "next/link";
import type { ReactNode } from "react";
import type { JobDetail } from "@/_api/types";
import { listHref } from "@/_components/jobs/search-params";
import { visible } from "@/_components/text/visible";
import { formatSeconds } from "@/_components/time/format";
import { RelativeTime } from "@/_components/time/relative-time";
import { CopyButton } from "@/_components/ui/copy";
import { Card, Section } from "@/_components/ui/surface";
import { WorkerLink } from "@/_components/worker-name";

/** The fields of a job. */
export function JobFacts({ job }: { job: JobDetail }) {
  return (
    <Section title="Details">
      <Card>
        <dl className="divide-y divide-line">
          <Fact name="Queue">
            <ListLink href={listHref({ queue: job.queue })}>{visible(job.queue)}</ListLink>
          </Fact>
          <Fact name="Type">
            <ListLink href={listHref({ type: job.type })}>{visible(job.type)}</ListLink>
          </Fact>
          <Fact name="Attempts">
            {job.attempts} of {job.max_attempts}
          </Fact>
          <Fact name="Priority">{job.priority === 0 ? "0 (normal)" : job.priority}</Fact>
          <Fact name="Time limit">{formatSeconds(job.timeout_seconds * 1000)} per attempt</Fact>
          <Fact name="Created">
            <RelativeTime at={job.created_at} />
          </Fact>
          <Fact name="Run at">
            <RelativeTime at={job.run_at} />
          </Fact>
          <Fact name="Started">{job.started_at ? <RelativeTime at={job.started_at} /> : "–"}</Fact>
          <Fact name="Finished">{job.finished_at ? <RelativeTime at={job.finished_at} /> : "–"}</Fact>
          <Fact name="Worker">
            {job.worker_id ? (
              <span className="flex items-center justify-end">
                <WorkerLink id={job.worker_id} />
                <CopyButton text={job.worker_id} what="worker id" className="-mr-2" />
              </span>
            ) : (
              "–"
            )}
          </Fact>
        </dl>
      </Card>
    </Section>
  );
}

function Fact({ name, children }: { name: string; children: ReactNode }) {
  return (
    <div className="flex min-h-10 items-center justify-between gap-4 px-4 py-1.5">
      <dt className="shrink-0 text-ink-faint">{name}</dt>
      <dd className="tabular min-w-0 text-right break-words">{children}</dd>
    </div>
  );
}

function ListLink({ href, children }: { href: string; children: string }) {
  return (
    <Link
      href={href}
      prefetch={false}
      className="rounded-sm underline decoration-line-strong underline-offset-4 hover:decoration-ink"
    >
      {children}
    </Link>
  );
}
