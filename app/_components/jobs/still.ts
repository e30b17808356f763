import type { JobSummary } from "@/_api/types";

// A list that a person reads does not move by itself. Its rows change in place; what comes later is counted until she
// asks for it; what no longer fits keeps its place until then.

/** What a list shows. */
export type Shown = {
  /** In the order of the list, each as it was last seen. */
  jobs: readonly JobSummary[];
  /** The ids of those that the list would not hold any more. */
  gone: ReadonlySet<string>;
  /** The last job of the whole list is among them. */
  complete: boolean;
  pages: number;
};

/** What the API says now: the newest jobs, down to some job. */
export type Answer = { jobs: readonly JobSummary[]; complete: boolean; pages: number };

const NONE: ReadonlySet<string> = new Set();

/** Takes an answer whole. */
export function begin({ jobs, complete, pages }: Answer): Shown {
  return { jobs, gone: NONE, complete, pages };
}

/** Takes over from an answer what can change in place, and the pages that were loaded at the end. */
export function follow(shown: Shown, answer: Answer): Shown {
  const latest = new Map(answer.jobs.map((job) => [job.id, job]));
  const end = answer.jobs.at(-1)?.id;
  const gone = new Set<string>();
  const jobs = shown.jobs.map((job) => {
    const now = latest.get(job.id);
    const covered = answer.complete || (end !== undefined && job.id >= end);
    if (!now && (covered || shown.gone.has(job.id))) gone.add(job.id);
    return now ?? job;
  });
  const longer = answer.pages > shown.pages;
  const same = gone.size === shown.gone.size && [...gone].every((id) => shown.gone.has(id));
  const last = shown.jobs.at(-1)?.id;
  const below = answer.jobs.filter(({ id }) => last === undefined || id < last);
  // A page may end before the list does, and a later answer find that nothing follows.
  const ended = answer.complete && (longer || below.length === 0);
  const complete = longer ? ended : shown.complete || ended;
  if (same && !longer && complete === shown.complete && jobs.every((job, i) => job === shown.jobs[i]))
    return shown;
  if (longer) jobs.push(...below);
  return {
    jobs,
    gone,
    complete,
    pages: Math.max(shown.pages, answer.pages),
  };
}

/** How many jobs belong to the list by now and are not shown. Those below a list that has more pages do not count. */
export function arrivals(shown: Shown, ...answers: (readonly JobSummary[])[]): number {
  const known = new Set(shown.jobs.map(({ id }) => id));
  const last = shown.jobs.at(-1)?.id;
  const fresh = new Set<string>();
  for (const { id } of answers.flat()) {
    if (!known.has(id) && (shown.complete || last === undefined || id > last)) fresh.add(id);
  }
  return fresh.size;
}
