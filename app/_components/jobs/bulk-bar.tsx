"use client";

import { Ban, RotateCw, X } from "lucide-react";
import { useState } from "react";
import { useEach, useRedrive } from "@/_api/mutations";
import { count } from "../numbers";
import { Button, IconButton } from "../ui/button";
import { Confirm } from "../ui/confirm";
import type { Selection } from "./use-selection";

type BulkBarProps = { selection: Selection; onDone: () => void };

/** What can be done with the selected rows. Floats, so that nothing moves when it comes. */
export function BulkBar({ selection, onDone }: BulkBarProps) {
  const [asked, setAsked] = useState<"retry" | "cancel">();
  const retry = useEach("retry");
  const cancel = useEach("cancel");
  const redrive = useRedrive();
  const { jobs, clear } = selection;
  const failed = jobs.filter((job) => job.status === "failed").map((job) => job.id);
  const open = jobs
    .filter((job) => job.status === "pending" || job.status === "processing")
    .map((job) => job.id);
  const busy =
    (retry.isPending || cancel.isPending || redrive.isPending) && "The last request is still running";
  function done() {
    clear();
    onDone();
  }
  // The dead go back in one request; the API has none for many cancelled ones.
  function sendBack() {
    if (jobs.some((job) => job.state === "cancelled")) retry.mutate(failed, { onSuccess: done });
    else redrive.mutate({ request: { ids: failed }, most: failed.length }, { onSuccess: done });
  }
  if (jobs.length === 0) return null;
  return (
    <>
      <section
        aria-label="Selected jobs"
        className="fixed inset-x-3 bottom-20 z-30 mx-auto flex w-fit max-w-full items-center gap-2 rounded-lg bg-raised py-2 pr-2 pl-4 shadow-float ring-1 ring-line motion-safe:animate-appear lg:bottom-5"
      >
        <span className="tabular mr-2 font-medium whitespace-nowrap">
          {count(jobs.length, "job")} selected
        </span>
        <Button
          size="small"
          icon={<RotateCw />}
          disabledReason={busy || (failed.length === 0 && "None of these jobs has failed")}
          onClick={() => setAsked("retry")}
        >
          Retry {failed.length > 0 && failed.length}
        </Button>
        <Button
          size="small"
          icon={<Ban />}
          disabledReason={busy || (open.length === 0 && "All of these jobs have ended")}
          onClick={() => setAsked("cancel")}
        >
          Cancel {open.length > 0 && open.length}
        </Button>
        <IconButton label="Clear the selection" onClick={clear}>
          <X />
        </IconButton>
      </section>
      <Confirm
        open={asked === "retry"}
        onClose={() => setAsked(undefined)}
        title={`Retry ${count(failed.length, "job")}?`}
        description="Each gets all of its attempts again."
        action={`Retry ${count(failed.length, "job")}`}
        onConfirm={sendBack}
      />
      <Confirm
        open={asked === "cancel"}
        onClose={() => setAsked(undefined)}
        title={`Cancel ${count(open.length, "job")}?`}
        description="Waiting jobs will not run. Running jobs are asked to stop."
        action={`Cancel ${count(open.length, "job")}`}
        danger
        onConfirm={() => cancel.mutate(open, { onSuccess: done })}
      />
    </>
  );
}
