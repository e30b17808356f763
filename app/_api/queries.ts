import { infiniteQueryOptions, keepPreviousData, queryOptions } from "@tanstack/react-query";
import { member, memberSource, parseJson } from "@/_components/json/parse";
import { api, unwrap } from "./client";
import { ApiDown } from "./problem";
import type { JobDetail, JobState, JobType } from "./types";

// What the window asks for. No query key is written anywhere else.

export type JobFilter = {
  /** "running" is every job that a worker has, also one that is asked to stop: as many as are counted. */
  state?: JobState | undefined;
  /** Pending, and the run time has come: for a first attempt or for a retry. */
  due?: true | undefined;
  type?: string | undefined;
  queue?: string | undefined;
  /** Pairs as the API takes them: see formatPair. */
  metadata?: string[] | undefined;
};

const PAGE_SIZE = 100;
/** How many arrivals are counted. */
export const NEWER_LIMIT = 30;
const QUEUE_PAGE_SIZE = 200;
const DEAD_PAGE_SIZE = 200;
export const MOST_PROCESSING = 200; // of the API, a page

export const keys = {
  all: ["api"],
  jobs: ["api", "jobs"],
  job: (id: string) => ["api", "job", id],
  dead: ["api", "dead"],
};

export const metricsQuery = () =>
  queryOptions({
    queryKey: ["api", "metrics"],
    queryFn: async ({ signal }) => {
      const counts = await unwrap(api.GET("/metrics", { signal, headers: { Accept: "application/json" } }));
      if (typeof counts === "string") throw new ApiDown("these are Prometheus's counts");
      return counts;
    },
  });

export const readinessQuery = () =>
  queryOptions({
    queryKey: ["api", "readiness"],
    queryFn: ({ signal }) => unwrap(api.GET("/readyz", { signal })),
  });

export const queuesQuery = () =>
  queryOptions({
    queryKey: ["api", "queues"],
    queryFn: ({ signal }) => unwrap(api.GET("/queues", { signal })),
    select: (body) => body.queues,
  });

/** The queues whose names begin with a text, those with most work first; and how many there are. */
export const queuePageQuery = (prefix: string) =>
  queryOptions({
    queryKey: ["api", "queues", "page", prefix],
    queryFn: ({ signal }) =>
      unwrap(
        api.GET("/queues", {
          signal,
          params: { query: { limit: QUEUE_PAGE_SIZE, ...(prefix ? { prefix } : {}) } },
        }),
      ),
    placeholderData: keepPreviousData,
  });

export const workersQuery = () =>
  queryOptions({
    queryKey: ["api", "workers"],
    queryFn: ({ signal }) => unwrap(api.GET("/workers", { signal })),
    select: (body) => body.workers,
  });

/** The workers of the last 24 hours that have ended, the last one first. */
export const endedWorkersQuery = () =>
  queryOptions({
    queryKey: ["api", "workers", "ended"],
    queryFn: ({ signal }) => unwrap(api.GET("/workers", { signal, params: { query: { state: "dead" } } })),
    select: (body) => body.workers,
  });

/** One worker, dead or not, and the jobs that it runs. */
export const workerQuery = (id: string) =>
  queryOptions({
    queryKey: ["api", "worker", id],
    queryFn: ({ signal }) => unwrap(api.GET("/workers/{id}", { signal, params: { path: { id } } })),
  });

/** The jobs that run now, whoever runs them: the newest of them, where there are very many. */
export const processingQuery = () =>
  queryOptions({
    queryKey: [...keys.jobs, "processing"],
    queryFn: ({ signal }) =>
      unwrap(
        api.GET("/jobs", { signal, params: { query: { status: "processing", limit: MOST_PROCESSING } } }),
      ),
    select: (body) => body.jobs,
  });

export const jobTypesQuery = () =>
  queryOptions({
    queryKey: ["api", "job-types"],
    queryFn: async ({ signal }): Promise<JobType[]> => {
      const text = await unwrap(api.GET("/job-types", { signal, parseAs: "text" }));
      const parsed: { job_types: JobType[] } = JSON.parse(text);
      const list = parseJson(text);
      const types = list.ok ? member(list.root, "job_types") : undefined;
      return parsed.job_types.map((type, i) => {
        const example = types?.kind === "array" ? member(types.items[i], "example") : undefined;
        return { ...type, exampleText: example && text.slice(example.start, example.end) };
      });
    },
    staleTime: 30_000,
  });

/** The counts have no number for running jobs that are not asked to stop, so that filter is the status. */
function asked({ state, ...rest }: JobFilter) {
  if (state === "running") return { ...rest, status: "processing" as const };
  return { ...rest, ...(state ? { state } : {}) };
}

type PageParam = { from: string | undefined } | { cursor: string };

/**
 * A list as it began at some moment: each reading has a key of its own. Once head is given, the list begins with that
 * job, so that what came later does not push the rows out of the answer.
 */
export const jobsQuery = (filter: JobFilter, reading: number, head: string | undefined) =>
  infiniteQueryOptions({
    queryKey: [...keys.jobs, filter, reading],
    queryFn: ({ pageParam, signal }) =>
      unwrap(
        api.GET("/jobs", {
          signal,
          params: { query: { ...asked(filter), limit: PAGE_SIZE, ...pageParam } },
        }),
      ),
    initialPageParam: firstFrom(head),
    getNextPageParam: (last): PageParam | undefined =>
      last.next_cursor ? { cursor: last.next_cursor } : undefined,
    placeholderData: keepPreviousData,
  });

// A parameter that is undefined is taken anew from these options at each refresh, and a head so takes effect.
function firstFrom(head: string | undefined): PageParam | undefined {
  return head ? { from: head } : undefined;
}

/** The newest jobs of a filter, to count those that a list does not show yet. */
export const newerQuery = (filter: JobFilter) =>
  queryOptions({
    queryKey: [...keys.jobs, filter, "newer"],
    queryFn: ({ signal }) =>
      unwrap(api.GET("/jobs", { signal, params: { query: { ...asked(filter), limit: NEWER_LIMIT } } })),
    select: (body) => body.jobs,
  });

export const deadQuery = (filter: Omit<JobFilter, "state" | "due">) =>
  infiniteQueryOptions({
    queryKey: [...keys.dead, filter],
    queryFn: ({ pageParam, signal }) =>
      unwrap(
        api.GET("/dlq", {
          signal,
          params: { query: { ...filter, limit: DEAD_PAGE_SIZE, cursor: pageParam } },
        }),
      ),
    initialPageParam: firstPage(),
    getNextPageParam: (last) => last.next_cursor ?? undefined,
    placeholderData: keepPreviousData,
  });

function firstPage(): string | undefined {
  return undefined;
}

export const jobQuery = (id: string) =>
  queryOptions({
    queryKey: keys.job(id),
    queryFn: async ({ signal }): Promise<JobDetail> => {
      const text = await jobText(id, signal);
      const parsed: JobDetail = JSON.parse(text);
      const result = memberSource(text, "result") ?? "null";
      return {
        ...parsed,
        payload: memberSource(text, "payload") ?? "{}",
        result: result === "null" ? null : result,
      };
    },
  });

/** A job as the API spells it, on one line. */
export async function jobText(id: string, signal?: AbortSignal): Promise<string> {
  const answer = api.GET("/jobs/{id}", { params: { path: { id } }, parseAs: "text", signal: signal ?? null });
  return (await unwrap(answer)).trim();
}
