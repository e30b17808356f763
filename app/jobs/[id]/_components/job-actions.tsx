"use client";

import { Ban, CopyPlus, RotateCw, Trash2 } from "lucide-react";
import dynamic from "next/dynamic";
import { useRouter } from "next/navigation";
import { useState } from "react";
import { useCancel, useDelete, useRetry } from "@/_api/mutations";
import type { JobDetail } from "@/_api/types";
import { Button, IconButton } from "@/_components/ui/button";
import { Confirm } from "@/_components/ui/confirm";
import { useJobKeys } from "./use-job-keys";

const RunAgain = dynamic(() => import("./run-again").then((m) => m.RunAgain), { ssr: false });

/** What a person can do with a job now; what she cannot says why. */
export function JobActions({ job }: { job: JobDetail }) {
  const router = useRouter();
  const retry = useRetry();
  const cancel = useCancel();
  const remove = useDelete();
  const [asked, setAsked] = useState<"again" | "cancel" | "delete">();
  const over = job.status === "completed" || job.status === "failed";
  const stop = () => (job.status === "processing" ? setAsked("cancel") : cancel.mutate(job.id));
  const stoppable = !over && job.state !== "cancelling" && !cancel.isPending;
  useJobKeys(job.id, {
    retry: job.status === "failed" && !retry.isPending ? () => retry.mutate(job.id) : undefined,
    again: () => setAsked("again"),
    cancel: stoppable ? stop : undefined,
  });

  return (
    <div className="flex flex-wrap items-center gap-2">
      {!over && (
        <Button
          icon={<Ban />}
          onClick={stop}
          disabledReason={
            cancel.isPending
              ? "The request is running"
              : job.state === "cancelling" && "It was already asked to stop"
          }
        >
          Cancel
        </Button>
      )}
      {job.status !== "completed" && (
        <Button
          variant={over ? "primary" : "secondary"}
          icon={<RotateCw />}
          onClick={() => retry.mutate(job.id)}
          disabledReason={
            retry.isPending ? "The request is running" : !over && "Only failed jobs can be retried by hand"
          }
        >
          Retry
        </Button>
      )}
      <Button icon={<CopyPlus />} onClick={() => setAsked("again")}>
        Run again…
      </Button>
      {over && (
        <IconButton label="Delete this job" onClick={() => setAsked("delete")}>
          <Trash2 />
        </IconButton>
      )}
      {asked === "again" && <RunAgain job={job} onClose={() => setAsked(undefined)} />}
      <Confirm
        open={asked === "cancel"}
        onClose={() => setAsked(undefined)}
        title="Cancel this running job?"
        description="Its handler is asked to stop. What it has already done is not undone."
        action="Cancel the job"
        danger
        onConfirm={() => cancel.mutate(job.id)}
      />
      <Confirm
        open={asked === "delete"}
        onClose={() => setAsked(undefined)}
        title="Delete this job?"
        description="Its payload, its result and its history are deleted too. This cannot be undone."
        action="Delete the job"
        danger
        onConfirm={() => remove.mutate(job.id, { onSuccess: () => router.push("/") })}
      />
    </div>
  );
}
