"use client";

import { useMutation, useQueryClient } from "@tanstack/react-query";
import { idTail } from "@/_components/id";
import { count } from "@/_components/numbers";
import { toast } from "@/_components/ui/toaster";
import { api, unwrap } from "./client";
import { failureOf, sentenceOf } from "./problem";
import { keys } from "./queries";
import type { Job, RedriveRequest, SubmissionText } from "./types";

// What the window does. Each act ends with a toast and with fresh data.

const AT_ONCE = 6; // requests under way together in an act on many jobs

function useRefresh() {
  const client = useQueryClient();
  return () => client.invalidateQueries({ queryKey: keys.all });
}

/** The body of a submission. The payload is put in as it was typed, never parsed and written anew. */
export function submissionBody({ payload, ...rest }: SubmissionText): string {
  const fields = Object.entries(rest).filter(([, value]) => value !== undefined);
  const members = fields.map(([name, value]) => `${JSON.stringify(name)}:${JSON.stringify(value)}`);
  return `{${[...members, `"payload":${payload}`].join(",")}}`;
}

export function submit(submission: SubmissionText, key: string): Promise<Job> {
  return unwrap(
    api.POST("/jobs", {
      headers: { "Idempotency-Key": key },
      body: { type: submission.type },
      bodySerializer: () => submissionBody(submission),
    }),
  );
}

/** Creates a job. Its errors are the form's to show. */
export function useSubmit() {
  const refresh = useRefresh();
  return useMutation({
    mutationFn: ({ submission, idempotencyKey }: { submission: SubmissionText; idempotencyKey: string }) =>
      submit(submission, idempotencyKey),
    onSuccess: (job) => {
      toast.success(`Job …${idTail(job.id)} is created`);
      void refresh();
    },
  });
}

const retryJob = (id: string) => unwrap(api.POST("/jobs/{id}/retry", { params: { path: { id } } }));
const cancelJob = (id: string) => unwrap(api.POST("/jobs/{id}/cancel", { params: { path: { id } } }));

export function useRetry() {
  const refresh = useRefresh();
  return useMutation({
    mutationFn: retryJob,
    onSuccess: (job) => toast.success(`Job …${idTail(job.id)} is retried`),
    onError: (error) => toast.error("The job was not retried", sentenceOf(error)),
    onSettled: refresh,
  });
}

export function useCancel() {
  const refresh = useRefresh();
  return useMutation({
    mutationFn: cancelJob,
    onSuccess: (job) =>
      job.status === "processing"
        ? toast.success(`Job …${idTail(job.id)} is asked to stop`)
        : toast.success(`Job …${idTail(job.id)} is cancelled`),
    onError: (error) => toast.error("The job was not cancelled", sentenceOf(error)),
    onSettled: refresh,
  });
}

export function useDelete() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: async (id: string) => {
      const { error, response } = await api.DELETE("/jobs/{id}", { params: { path: { id } } });
      if (!response.ok) throw failureOf(error, response);
      return id;
    },
    onSuccess: (id) => {
      toast.success(`Job …${idTail(id)} is deleted`);
      client.removeQueries({ queryKey: keys.job(id) }); // nobody shall ask for it again
      void client.invalidateQueries({ queryKey: keys.all });
    },
    onError: (error) => toast.error("The job was not deleted", sentenceOf(error)),
  });
}

/** One act on many jobs. It goes on after a failure, and says how many did not work. */
export function useEach(act: "retry" | "cancel") {
  const refresh = useRefresh();
  const one = act === "retry" ? retryJob : cancelJob;
  return useMutation({
    mutationFn: async (ids: string[]) => {
      const failures: unknown[] = [];
      const rest = [...ids];
      const work = async () => {
        for (let id = rest.shift(); id !== undefined; id = rest.shift()) {
          await one(id).catch((error: unknown) => failures.push(error));
        }
      };
      await Promise.all(Array.from({ length: AT_ONCE }, work));
      return { done: ids.length - failures.length, failures };
    },
    onSuccess: ({ done, failures }) => {
      const said = act === "retry" ? "retried" : "cancelled";
      if (done > 0) toast.success(`${count(done, "job")} ${said}`);
      if (failures.length > 0)
        toast.error(`${count(failures.length, "job")} not ${said}`, sentenceOf(failures[0]));
    },
    onSettled: refresh,
  });
}

const REDRIVE_LIMIT = 1000; // of the API, a call

/**
 * Sends dead jobs back. A filter may match more than one call takes; most says how many were confirmed, so that jobs
 * which die again meanwhile are not sent round in circles.
 */
export function useRedrive() {
  const refresh = useRefresh();
  return useMutation({
    mutationFn: async ({ request, most }: { request: RedriveRequest; most: number }) => {
      let total = 0;
      do {
        const { retried } = await unwrap(api.POST("/dlq/retry", { body: request }));
        total += retried;
        if (retried < REDRIVE_LIMIT) break;
      } while (!request.ids && total < most);
      return total;
    },
    onSuccess: (n) =>
      n > 0 ? toast.success(`${count(n, "job")} retried`) : toast.info("No dead job matched"),
    onError: (error) => toast.error("The jobs were not retried", sentenceOf(error)),
    onSettled: refresh,
  });
}
