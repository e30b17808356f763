"use client";

import { ChevronRight, RotateCw } from "lucide-react";
import Link from "next/link";
import { type ComponentProps, useEffect, useId, useRef, useState } from "react";
import type { JobSummary } from "@/_api/types";
import { idTail } from "@/_components/id";
import type { Selection } from "@/_components/jobs/use-selection";
import { cameBack } from "@/_components/jobs/way-back";
import { count, formatCompact } from "@/_components/numbers";
import { visible } from "@/_components/text/visible";
import { RelativeTime } from "@/_components/time/relative-time";
import { Button } from "@/_components/ui/button";
import { cx } from "@/_components/ui/cx";
import { Checkbox } from "@/_components/ui/field";
import { LongRows } from "@/_components/ui/long-rows";
import type { DeadGroup } from "./groups";

const SHOWN = 20;

const wereOpen = new Set<string>(); // the groups that are open, for the way back from a job

type DeadGroupRowProps = { group: DeadGroup; selection: Selection; open: boolean; onRetry: () => void };

/** One cause of death, and the jobs under it to unfold. */
export function DeadGroupRow({ group, selection, open, onRetry }: DeadGroupRowProps) {
  const [unfolded, setUnfolded] = useState(
    () => open || (cameBack() !== undefined && wereOpen.has(group.key)),
  );
  const [shown, setShown] = useState(SHOWN);
  const listId = useId();
  const list = useRef<HTMLUListElement>(null);
  const n = group.jobs.length;
  useEffect(() => {
    if (unfolded) wereOpen.add(group.key);
    else wereOpen.delete(group.key);
  }, [unfolded, group.key]);
  return (
    <li>
      <div className="flex min-h-[4.25rem] items-center gap-3 py-2 pr-3 pl-2 sm:pr-4">
        <button
          type="button"
          data-group
          aria-expanded={unfolded}
          aria-controls={listId}
          onClick={() => setUnfolded(!unfolded)}
          className="flex min-w-0 grow items-center gap-3 rounded-md py-1 pl-2 text-left"
        >
          <ChevronRight
            aria-hidden
            className={cx("size-4 shrink-0 text-ink-faint transition-transform", unfolded && "rotate-90")}
          />
          <span
            className={cx(
              "tabular w-12 shrink-0 rounded-md py-1 text-center text-sm font-semibold",
              n > 0 ? "bg-red-wash text-red" : "bg-neutral-wash text-neutral",
            )}
          >
            {formatCompact(n)}
          </span>
          <span className="min-w-0">
            <span
              className={cx(
                "font-mono text-[0.8125rem]/5 [overflow-wrap:anywhere]",
                unfolded ? "block" : "line-clamp-2",
              )}
            >
              {visible(group.error) || "No error message"}
            </span>
            <span className="block text-xs break-words text-ink-faint">
              {visible(group.type)} · newest <RelativeTime at={group.newest} />
            </span>
          </span>
        </button>
        <Button
          size="small"
          icon={<RotateCw />}
          data-retry-group
          disabledReason={n === 0 && "None of them is dead any more"}
          onClick={onRetry}
          className="min-w-20"
        >
          <span>
            Retry <span className="tabular">{formatCompact(n)}</span>
            <span className="sr-only">: {visible(`${group.type}, ${group.error}`)}</span>
          </span>
        </Button>
      </div>
      <ul id={listId} ref={list} hidden={!unfolded} className="border-t border-line bg-sunken">
        {unfolded && (
          <LongRows
            frame={list}
            count={Math.min(n, shown)}
            name={(index) => group.jobs[index]?.id ?? index}
            height={40}
            gap={(pixels) => <li aria-hidden style={{ height: pixels }} />}
            row={(index, measured) => {
              const job = group.jobs[index];
              return (
                job && (
                  <DeadJobRow
                    key={job.id}
                    job={job}
                    selected={selection.ids.has(job.id)}
                    onToggle={selection.toggle}
                    measured={measured && { ...measured, "aria-posinset": index + 1, "aria-setsize": n }}
                  />
                )
              );
            }}
          />
        )}
        {unfolded && n > shown && (
          <li className="p-2 pl-11">
            <Button size="small" variant="ghost" onClick={() => setShown(shown + 100)}>
              Show more of {count(n, "job")}
            </Button>
          </li>
        )}
      </ul>
    </li>
  );
}

type DeadJobRowProps = {
  job: JobSummary;
  selected: boolean;
  onToggle: (id: string) => void;
  measured: ComponentProps<"li"> | undefined;
};

function DeadJobRow({ job, selected, onToggle, measured }: DeadJobRowProps) {
  return (
    <li
      {...measured}
      data-selected={selected || undefined}
      className="relative flex min-h-10 items-center py-1 gap-3 pr-4 pl-12 focus-within:bg-hover hover:bg-hover data-selected:bg-selected"
    >
      <Checkbox
        aria-label={`Select ${visible(job.type)} …${idTail(job.id)}`}
        checked={selected}
        onChange={() => onToggle(job.id)}
        className="relative z-10"
      />
      <Link
        href={`/jobs/${job.id}`}
        prefetch={false}
        data-job={job.id}
        data-failed
        title={job.id}
        className="font-mono text-xs outline-none after:absolute after:inset-0 focus-visible:after:ring-2 focus-visible:after:ring-focus focus-visible:after:ring-inset"
      >
        …{idTail(job.id)}
      </Link>
      <span className="min-w-0 text-xs break-all text-ink-soft">{visible(job.queue)}</span>
      <span className="tabular hidden text-xs whitespace-nowrap text-ink-faint sm:inline">
        {count(job.attempts, "attempt")}
      </span>
      {job.finished_at && (
        <RelativeTime
          at={job.finished_at}
          className="tabular ml-auto text-xs whitespace-nowrap text-ink-faint"
        />
      )}
    </li>
  );
}
