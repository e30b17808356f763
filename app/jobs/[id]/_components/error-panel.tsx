import type { JobDetail } from "@/_api/types";
import { firstLine } from "@/_components/jobs/error-line";
import { CodeBlock } from "@/_components/ui/code-block";
import { CopyButton } from "@/_components/ui/copy";
import { Card, Section } from "@/_components/ui/surface";

const KINDS: Record<NonNullable<JobDetail["failure_kind"]>, string> = {
  error: "The last attempt failed",
  timeout: "The last attempt took too long",
  worker_lost: "The worker vanished",
  permanent: "The handler said that no retry can help",
  cancelled: "Cancelled by a person",
};

/** The newest error, with its stack. It is text, whatever is in it. */
export function ErrorPanel({ job }: { job: JobDetail }) {
  const text = job.error_message ?? "";
  const head = firstLine(text);
  const stack = text.slice(head.length + 1);
  return (
    <Section title="Error" aside={<CopyButton text={text} what="error" />}>
      <Card className="overflow-hidden border-l-2 border-red">
        <div className="flex flex-col gap-1 px-4 py-3">
          <p className="font-mono text-[0.8125rem]/5 break-words whitespace-pre-wrap">{head}</p>
          <p className="text-xs text-ink-faint">
            {job.failure_kind
              ? KINDS[job.failure_kind]
              : `Of attempt ${job.attempts}; it will be tried again`}
          </p>
        </div>
        {stack && (
          <CodeBlock
            label="Stack"
            className="max-h-72 border-t border-line bg-sunken px-4 py-3 text-xs/5 text-ink-soft"
          >
            {stack}
          </CodeBlock>
        )}
      </Card>
    </Section>
  );
}
