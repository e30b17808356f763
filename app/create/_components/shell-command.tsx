"use client";

import { API_BASE } from "@/_api/client";
import { submissionBody } from "@/_api/mutations";
import { visibleLines } from "@/_components/text/visible";
import { CodeBlock } from "@/_components/ui/code-block";
import { CopyButton } from "@/_components/ui/copy";
import { Card } from "@/_components/ui/surface";
import { curlLine } from "./curl";
import { type Draft, submissionOf } from "./form-state";

/** The same request for a shell. */
export function ShellCommand({ draft, idempotencyKey }: { draft: Draft; idempotencyKey: string }) {
  const body = submissionBody(submissionOf(draft));
  const line = curlLine(`${window.location.origin}${API_BASE}/jobs`, body, idempotencyKey);
  return (
    <Card className="flex min-w-0 flex-col gap-1.5 p-4 sm:p-5">
      <div className="flex items-center justify-between">
        <h2 className="text-xs font-medium text-ink-soft">The same from a shell</h2>
        <CopyButton text={line} what="curl line">
          Copy
        </CopyButton>
      </div>
      <CodeBlock
        label="curl line"
        wrap
        className="max-h-56 rounded-md border border-line bg-sunken p-3 text-xs/5 text-ink-soft"
      >
        {visibleLines(line)}
      </CodeBlock>
      <p className="text-xs text-ink-faint">The key makes it one job, however often it is sent.</p>
    </Card>
  );
}
