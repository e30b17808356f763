import type { JobFilter } from "@/_api/queries";
import { isJobState } from "../job-state";
import { pairsFault, parsePair } from "../metadata/pairs";

// The URL is a list's state. What does not fit is left out, as if it was not there: a link of yesterday shall
// still open a page.

const TYPE = /^[a-z0-9][a-z0-9_.-]{0,99}$/;
const QUEUE = /^[a-z0-9][a-z0-9_-]{0,62}$/;

type Params = { get(name: string): string | null; getAll(name: string): string[] };

/** The pairs that the API would take, one of each name. */
function readPairs(texts: string[]): string[] {
  const taken = new Map<string, { name: string; value: string; text: string }>();
  for (const text of texts) {
    const pair = parsePair(text);
    if (!pair || taken.has(pair.name)) continue;
    const entry = { ...pair, text };
    if (!pairsFault([...taken.values(), entry])) taken.set(pair.name, entry);
  }
  return [...taken.values()].map(({ text }) => text);
}

/** The filter that a URL names. */
export function readFilter(params: Params): JobFilter {
  const [state, type, queue] = [params.get("state"), params.get("type"), params.get("queue")];
  const metadata = readPairs(params.getAll("metadata"));
  return {
    ...(state && isJobState(state) ? { state } : {}),
    ...(params.get("due") === "true" ? { due: true as const } : {}),
    ...(type && TYPE.test(type) ? { type } : {}),
    ...(queue && QUEUE.test(queue) ? { queue } : {}),
    ...(metadata.length > 0 ? { metadata } : {}),
  };
}

/** The address of a list with a filter. */
export function listHref(filter: JobFilter, path = "/"): string {
  const params = new URLSearchParams();
  for (const name of ["state", "type", "queue"] as const) {
    const value = filter[name];
    if (value) params.set(name, value);
  }
  if (filter.due) params.set("due", "true");
  for (const pair of filter.metadata ?? []) params.append("metadata", pair);
  const query = params.toString();
  return query ? `${path}?${query}` : path;
}

/** Whether a filter leaves anything out. */
export function isFiltered(filter: JobFilter): boolean {
  return Boolean(filter.state || filter.due || filter.type || filter.queue || filter.metadata?.length);
}
