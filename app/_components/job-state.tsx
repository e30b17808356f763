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
    hint: "Starts later; not tried yet",
    empty: "No job is scheduled for later.",
    live: true,
  },
  waiting: {
    label: "Waiting",
    tone: "neutral",
    icon: CircleDashed,
    hint: "Due; starts as soon as a worker has a free slot",
    empty: "No job is waiting: the workers keep up.",
    live: true,
  },
  running: {
    label: "Running",
    tone: "blue",
    icon: LoaderCircle,
    hint: "A worker is at it",
    empty: "No job is running right now.",
    live: true,
  },
  retrying: {
    label: "Retrying",
    tone: "amber",
    icon: RotateCw,
    hint: "Failed, and will be tried again",
    empty: "No job is waiting for a retry.",
    live: true,
  },
  cancelling: {
    label: "Cancelling",
    tone: "amber",
    icon: Ban,
    hint: "Asked to stop; its worker has yet to answer",
    empty: "No job is being cancelled.",
    live: true,
  },
  completed: {
    label: "Completed",
    tone: "green",
    icon: CircleCheck,
    hint: "Done",
    empty: "No job has completed yet.",
    live: false,
  },
  dead: {
    label: "Dead",
    tone: "red",
    icon: OctagonX,
    hint: "Failed for good; in the dead-letter queue until somebody sends it back",
    empty: "No job is dead.",
    live: false,
  },
  cancelled: {
    label: "Cancelled",
    tone: "neutral",
    icon: CircleSlash,
    hint: "Stopped by a person",
    empty: "No job was cancelled.",
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
