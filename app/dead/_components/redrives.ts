import type { JobSummary, RedriveRequest } from "@/_api/types";
import { count, formatNumber } from "@/_components/numbers";
import type { DeadGroup } from "./groups";

/** What a button retries, and what is asked before. */
export type Redrive = {
  title: string;
  text: string;
  action: string;
  request: RedriveRequest;
  /** No more than so many, also if jobs die again meanwhile. */
  most: number;
};

const ids = (jobs: readonly JobSummary[]) => jobs.map(({ id }) => id);

/** Exactly these jobs. */
export function redriveShown(jobs: readonly JobSummary[], text: string): Redrive {
  const said = `Retry ${count(jobs.length, "job")}`;
  return { title: `${said}?`, text, action: said, request: { ids: ids(jobs) }, most: jobs.length };
}

export function redriveGroup(group: DeadGroup, incomplete: boolean): Redrive {
  const text = `The ${group.type} jobs of this page with the error “${group.error || "none"}”.`;
  const others = incomplete ? " Older jobs with the same error, which this page does not show, stay." : "";
  return redriveShown(group.jobs, text + others);
}

type All = {
  shown: readonly JobSummary[];
  /** Of the API: it knows no metadata. */
  names: { type?: string; queue?: string };
  filtered: boolean;
  byMetadata: boolean;
  /** More jobs match than are shown. */
  incomplete: boolean;
  /** How many jobs are dead in all. */
  dead: number;
};

/** Everything that the filter matches, as far as that can be done in one act. */
export function redriveAll({ shown, names, filtered, byMetadata, incomplete, dead }: All): Redrive {
  if (!incomplete)
    return redriveShown(shown, filtered ? "All dead jobs that match the filter." : "All dead jobs.");
  if (byMetadata)
    return redriveShown(
      shown,
      "The newest that match the filter. Older ones, which this page does not show, stay.",
    );
  const request = { filter: names };
  const more = formatNumber(shown.length);
  if (filtered) {
    return {
      title: "Retry all jobs that match?",
      text: `More than ${more} dead jobs match the filter. All of them are retried, also those that this page does not show.`,
      action: "Retry all that match",
      request,
      most: dead,
    };
  }
  const said = `Retry ${count(dead, "job")}`;
  return {
    title: `${said}?`,
    text: `All dead jobs, also those that this page does not show: it shows the newest ${more}.`,
    action: said,
    request,
    most: dead,
  };
}
