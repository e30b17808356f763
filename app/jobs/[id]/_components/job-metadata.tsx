"use client";

import Link from "next/link";
import type { JobDetail } from "@/_api/types";
import { listHref } from "@/_components/jobs/search-params";
import { formatPair, pairsOf } from "@/_components/metadata/pairs";
import { visible, visibleLines } from "@/_components/text/visible";
import { CopyButton } from "@/_components/ui/copy";
import { Card, Section } from "@/_components/ui/surface";

/** What the submitter noted. Each pair leads to the jobs that have it too. */
export function JobMetadata({ metadata }: { metadata: JobDetail["metadata"] }) {
  const pairs = pairsOf(metadata);
  if (pairs.length === 0) return null;
  return (
    <Section title="Metadata">
      <Card>
        <dl className="divide-y divide-line">
          {pairs.map((pair) => (
            <div key={pair.name} className="flex flex-col py-2 pr-2 pl-4 font-mono text-xs">
              <dt className="break-words text-ink-faint">{visible(pair.name)}</dt>
              <dd className="flex items-start justify-between gap-2">
                <Link
                  href={listHref({ metadata: [formatPair(pair)] })}
                  prefetch={false}
                  title={visible(`All jobs with ${pair.name}: ${pair.value}`)}
                  className="min-w-0 rounded-sm break-words whitespace-pre-wrap underline decoration-line-strong underline-offset-4 hover:decoration-ink"
                >
                  {visibleLines(pair.value) || "(empty)"}
                </Link>
                <CopyButton text={pair.value} what={visible(`value of ${pair.name}`)} className="-mt-3" />
              </dd>
            </div>
          ))}
        </dl>
      </Card>
    </Section>
  );
}
