"use client";

import { CircleAlert } from "lucide-react";
import { API_BASE } from "@/_api/client";
import { submissionBody } from "@/_api/mutations";
import type { JobType } from "@/_api/types";
import { Button } from "@/_components/ui/button";
import { CodeBlock } from "@/_components/ui/code-block";
import { CopyButton } from "@/_components/ui/copy";
import { Card } from "@/_components/ui/surface";
import { curlLine } from "./curl";
import { type Draft, submissionOf } from "./form-state";

type SummaryProps = {
  draft: Draft;
  type: JobType;
  idempotencyKey: string;
  problems: string[];
  disabledReason: string | false;
  pending: boolean;
};

/** The button, what speaks against it, and the same request for a shell. */
export function Summary({ draft, type, idempotencyKey, problems, disabledReason, pending }: SummaryProps) {
  const body = submissionBody(submissionOf(draft));
  const line = curlLine(`${window.location.origin}${API_BASE}/jobs`, body, idempotencyKey);
  return (
    <Card className="flex min-w-0 flex-col gap-4 p-4 sm:p-5 xl:sticky xl:top-8">
      <p className="text-ink-soft">
        One <strong className="font-semibold text-ink">{type.name}</strong> job on queue{" "}
        <strong className="font-semibold text-ink">{draft.queue || type.queue}</strong>.
      </p>
      {problems.length > 0 && (
        <div role="alert" className="flex gap-2 rounded-md bg-red-wash p-3 text-red">
          <CircleAlert aria-hidden className="mt-0.5 size-4 shrink-0" />
          <ul className="min-w-0 break-words">
            {problems.map((problem) => (
              <li key={problem}>{problem}</li>
            ))}
          </ul>
        </div>
      )}
      <Button
        variant="primary"
        type="submit"
        disabledReason={disabledReason}
        className="w-full"
        title="Ctrl or ⌘ and Enter"
      >
        {pending ? "Creating…" : "Create job"}
      </Button>
      <div className="flex min-w-0 flex-col gap-1.5">
        <div className="flex items-center justify-between">
          <h2 className="text-xs font-medium text-ink-soft">The same from a shell</h2>
          <CopyButton text={line} what="curl line">
            Copy
          </CopyButton>
        </div>
        <CodeBlock
          label="curl line"
          className="max-h-56 rounded-md border border-line bg-sunken p-3 text-xs/5 text-ink-soft"
        >
          {line}
        </CodeBlock>
        <p className="text-xs text-ink-faint">The key makes it one job, however often it is sent.</p>
      </div>
    </Card>
  );
}
