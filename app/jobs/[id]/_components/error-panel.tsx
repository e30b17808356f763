import { ChevronRight } from "lucide-react";
import type { JobDetail } from "@/_api/types";
import { firstLine } from "@/_components/jobs/error-line";
import { visible, visibleLines } from "@/_components/text/visible";
import { CodeBlock } from "@/_components/ui/code-block";
import { CopyButton } from "@/_components/ui/copy";
import { Card, Section } from "@/_components/ui/surface";
import type { LastError } from "./last-error";

const OUTCOMES: Record<NonNullable<LastError["outcome"]>, string> = {
  failed: "failed",
  timeout: "timed out",
  lease_lost: "was lost with its worker",
  cancelled: "was cancelled",
  released: "was handed back",
};

/** The newest error, with its stack. It is text, whatever is in it. One that the job has left behind is folded. */
export function ErrorPanel({ job, error }: { job: JobDetail; error: LastError }) {
  const head = firstLine(error.text);
  if (error.past) {
    return (
      <details className="group/error rounded-lg bg-surface shadow-card ring-1 ring-line">
        <summary className="flex items-center gap-2 px-4 py-2.5 text-xs text-ink-soft">
          <ChevronRight
            aria-hidden
            className="size-4 shrink-0 text-ink-faint transition-transform group-open/error:rotate-90"
          />
          <span>{belongsTo(job, error)}</span>
          <span className="line-clamp-2 min-w-0 font-mono break-words text-ink-faint group-open/error:hidden">
            {visible(head)}
          </span>
        </summary>
        <ErrorText text={error.text} />
      </details>
    );
  }
  return (
    <Section title="Error" aside={<CopyButton text={error.text} what="error" />}>
      <Card className="overflow-hidden border-l-2 border-red">
        <p className="px-4 pt-3 text-xs text-ink-faint">{belongsTo(job, error)}</p>
        <ErrorText text={error.text} />
      </Card>
    </Section>
  );
}

function belongsTo(job: JobDetail, { attempt, outcome = "failed", beforeRetry, past }: LastError): string {
  const name = attempt === undefined ? "The last attempt" : `Attempt ${attempt}`;
  if (past)
    return `Previous attempt${attempt === undefined ? "" : ` (${attempt})`}${beforeRetry ? ", before the retry by hand" : ""}:`;
  if (job.failure_kind === "cancelled") return "The job was cancelled";
  const how =
    job.failure_kind === "permanent" ? "failed; the handler said that no retry can help" : OUTCOMES[outcome];
  return `${name} of ${job.max_attempts} ${how}`;
}

function ErrorText({ text }: { text: string }) {
  const head = firstLine(text);
  const stack = text.slice(head.length + 1);
  return (
    <>
      <p className="px-4 pt-1 pb-3 font-mono text-[0.8125rem]/5 break-words whitespace-pre-wrap">
        {visible(head)}
      </p>
      {stack && (
        <CodeBlock
          label="Stack"
          className="max-h-72 border-t border-line bg-sunken px-4 py-3 text-xs/5 text-ink-soft"
        >
          {visibleLines(stack)}
        </CodeBlock>
      )}
    </>
  );
}
