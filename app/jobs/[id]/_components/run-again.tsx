"use client";

import { useRouter } from "next/navigation";
import { useState } from "react";
import { newKey } from "@/_api/idempotency-key";
import { useSubmit } from "@/_api/mutations";
import { ApiProblem, sentenceOf } from "@/_api/problem";
import type { JobDetail } from "@/_api/types";
import { JsonEditor, type LineFault, payloadFault } from "@/_components/json/json-editor";
import { formatJson } from "@/_components/json/layout";
import { atPointer, parseJson, place } from "@/_components/json/parse";
import { visible, visibleLines } from "@/_components/text/visible";
import { Button } from "@/_components/ui/button";
import { Dialog } from "@/_components/ui/dialog";

/** A new job like this one, with another payload. The text is sent as it stands. */
export function RunAgain({ job, onClose }: { job: JobDetail; onClose: () => void }) {
  const router = useRouter();
  const original = visibleLines(formatJson(job.payload)); // in JSON the escapes mean the same
  const [payload, setPayload] = useState(original);
  const [idempotencyKey, setKey] = useState(newKey);
  const [faults, setFaults] = useState<LineFault[]>([]);
  const [problem, setProblem] = useState<string>();
  const submit = useSubmit();
  const fault = payloadFault(payload);

  function change(text: string) {
    setPayload(text);
    setFaults([]);
    setProblem(undefined);
  }

  function run() {
    const { type, queue, priority, max_attempts, timeout_seconds, metadata } = job;
    const same = { type, queue, priority, max_attempts, timeout_seconds, ...(metadata ? { metadata } : {}) };
    submit.mutate(
      { submission: { ...same, payload }, idempotencyKey },
      {
        onSuccess: (created) => {
          onClose();
          router.push(`/jobs/${created.id}`);
        },
        onError: (error) => {
          const found = error instanceof ApiProblem ? error.faults : [];
          const parsed = parseJson(payload);
          const inside = found.filter(({ pointer }) => pointer?.startsWith("/payload"));
          if (parsed.ok && inside.length > 0) {
            setFaults(
              inside.map(({ pointer = "", detail }) => {
                const within = pointer.slice("/payload".length);
                const { line } = place(payload, atPointer(parsed.root, within).start);
                return { line, text: `${within.slice(1)} ${detail}`.trim() };
              }),
            );
          } else setProblem(sentenceOf(error));
          if (error instanceof ApiProblem && error.kind === "idempotency_key_reused") setKey(newKey());
        },
      },
    );
  }

  return (
    <Dialog
      open
      wide
      onClose={onClose}
      title={visible(`Run ${job.type} again`)}
      description="Creates a new job on the same queue, with the same limits and metadata. This job is not changed."
    >
      <JsonEditor
        label="Payload (JSON)"
        value={payload}
        onChange={change}
        faults={faults}
        onReset={payload === original ? undefined : () => change(original)}
        resetLabel="Original"
      />
      {problem && (
        <p role="alert" className="text-red">
          {visible(problem)}
        </p>
      )}
      <div className="flex justify-end gap-2">
        <Button onClick={onClose}>Back</Button>
        <Button
          variant="primary"
          onClick={run}
          disabledReason={submit.isPending ? "The job is being created" : fault && "The payload has an error"}
        >
          Create job
        </Button>
      </div>
    </Dialog>
  );
}
