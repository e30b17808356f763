import type { JobSummary } from "@/_api/types";
import { firstLine } from "@/_components/jobs/error-line";

/** Dead jobs that died of the same. */
export type DeadGroup = { key: string; type: string; error: string; newest: string; jobs: JobSummary[] };

/** Groups by type and by the first line of the error; the largest group comes first, then the newest. */
export function groupDead(jobs: readonly JobSummary[]): DeadGroup[] {
  const groups = new Map<string, DeadGroup>();
  for (const job of jobs) {
    const error = firstLine(job.error_message ?? "");
    const key = `${job.type}\n${error}`;
    const group = groups.get(key);
    if (group) {
      group.jobs.push(job);
      if ((job.finished_at ?? "") > group.newest) group.newest = job.finished_at ?? "";
    } else
      groups.set(key, { key, type: job.type, error, newest: job.finished_at ?? job.updated_at, jobs: [job] });
  }
  return [...groups.values()].sort(
    (a, b) => b.jobs.length - a.jobs.length || b.newest.localeCompare(a.newest),
  );
}
