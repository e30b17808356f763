import {
  Ban,
  CalendarClock,
  CircleCheck,
  CircleDashed,
  CircleSlash,
  LoaderCircle,
  type LucideIcon,
  OctagonX,
  RotateCw,
} from "lucide-react";
import type { JobState } from "@/_api/types";
import { cx } from "./ui/cx";
import { TONES, type Tone } from "./ui/tone";

// THE vocabulary of states: what each is called, looks like and means. Nothing else in the window names a state.

type Vocabulary = {
  label: string;
  tone: Tone;
  icon: LucideIcon;
  hint: string;
  /** What a list filtered by this state says when it is empty. */
  empty: string;
  /** It changes by itself. */
  live: boolean;
};

export const JOB_STATE: Record<JobState, Vocabulary> = {
  scheduled: {
    label: "Scheduled",
    tone: "violet",
    icon: CalendarClock,
    hint: "Starts at a later time",
    empty: "No job is scheduled for later.",
    live: true,
  },
  waiting: {
    label: "Waiting",
    tone: "neutral",
    icon: CircleDashed,
    hint: "Due for its first attempt, not started yet",
    empty: "No job is waiting for its first attempt.",
    live: true,
  },
  running: {
    label: "Running",
    tone: "blue",
    icon: LoaderCircle,
    hint: "A worker runs it",
    empty: "No job is running.",
    live: true,
  },
  retrying: {
    label: "Retrying",
    tone: "amber",
    icon: RotateCw,
    hint: "Failed, and will be retried",
    empty: "No job is waiting for a retry.",
    live: true,
  },
  cancelling: {
    label: "Cancelling",
    tone: "amber",
    icon: Ban,
    hint: "Asked to stop; the worker has not confirmed it yet",
    empty: "No job is being cancelled.",
    live: true,
  },
  completed: {
    label: "Completed",
    tone: "green",
    icon: CircleCheck,
    hint: "Completed successfully",
    empty: "No completed jobs.",
    live: false,
  },
  dead: {
    label: "Dead",
    tone: "red",
    icon: OctagonX,
    hint: "Failed permanently; in the dead-letter queue",
    empty: "No dead jobs.",
    live: false,
  },
  cancelled: {
    label: "Cancelled",
    tone: "neutral",
    icon: CircleSlash,
    hint: "Cancelled on request",
    empty: "No cancelled jobs.",
    live: false,
  },
};

/** The states in the order of filters and palettes. */
export const JOB_STATES: readonly JobState[] = [
  "waiting",
  "running",
  "retrying",
  "scheduled",
  "completed",
  "dead",
  "cancelled",
  "cancelling",
];

export function isJobState(text: string): text is JobState {
  return Object.hasOwn(JOB_STATE, text);
}

export function StateBadge({ state, large = false }: { state: JobState; large?: boolean }) {
  const { label, tone, icon: Icon, hint } = JOB_STATE[state];
  return (
    <span
      title={hint}
      data-state={state}
      className={cx(
        "inline-flex items-center gap-1.5 rounded-md font-medium whitespace-nowrap",
        large ? "h-7 px-2.5 text-sm" : "h-6 px-2 text-xs",
        TONES[tone].badge,
      )}
    >
      <Icon
        aria-hidden
        className={cx(
          large ? "size-4" : "size-3.5",
          "shrink-0",
          state === "running" && "motion-safe:animate-[spin_2.4s_linear_infinite]",
        )}
      />
      {label}
    </span>
  );
}
