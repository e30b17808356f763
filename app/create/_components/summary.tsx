"use client";

import { CircleAlert } from "lucide-react";
import type { JobType } from "@/_api/types";
import { visible } from "@/_components/text/visible";
import { Button } from "@/_components/ui/button";
import type { Draft } from "./form-state";

type SummaryProps = {
  draft: Draft;
  type: JobType;
  problems: string[];
  /** What keeps the form from being sent. */
  disabledReason: string | false;
  pending: boolean;
};

/** The button, and what speaks against it. It stays in sight, however long the form is. */
export function Summary({ draft, type, problems, disabledReason, pending }: SummaryProps) {
  return (
    <div className="sticky bottom-14 z-10 -mx-4 flex flex-col gap-2 border-t border-line bg-raised px-4 py-2.5 pb-[calc(0.625rem+env(safe-area-inset-bottom))] shadow-float sm:mx-0 sm:rounded-lg sm:border sm:pb-2.5 lg:bottom-4">
      {problems.length > 0 && (
        <div
          role="alert"
          className="flex max-h-[30dvh] gap-2 overflow-y-auto rounded-md bg-red-wash p-2.5 text-red"
        >
          <CircleAlert aria-hidden className="mt-0.5 size-4 shrink-0" />
          <ul className="min-w-0 break-words">
            {problems.map((problem) => (
              <li key={problem}>{visible(problem)}</li>
            ))}
          </ul>
        </div>
      )}
      <div className="flex items-center justify-between gap-4">
        <p className="min-w-0 break-words text-ink-soft">
          {disabledReason || (
            <>
              One <strong className="font-semibold text-ink">{visible(type.name)}</strong> job on queue{" "}
              <strong className="font-semibold break-all text-ink">
                {visible(draft.queue || type.queue)}
              </strong>
            </>
          )}
        </p>
        <Button
          variant="primary"
          type="submit"
          disabledReason={disabledReason}
          tipAbove
          className="shrink-0"
          title="Ctrl or ⌘ and Enter"
        >
          {pending ? "Creating…" : "Create job"}
        </Button>
      </div>
    </div>
  );
}
