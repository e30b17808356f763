"use client";

import { useQuery } from "@tanstack/react-query";
import Link from "next/link";
import { usePolled } from "@/_api/polling";
import { endedWorkersQuery, workersQuery } from "@/_api/queries";
import type { Worker } from "@/_api/types";
import { idTail } from "./id";
import { visible } from "./text/visible";

const SELDOM = 5;
const FRESH_MS = 30_000; // what has ended stays as it is

/** Which process it is: "host:4711". */
export function workerName({ hostname, pid }: Pick<Worker, "hostname" | "pid">): string {
  return `${visible(hostname)}:${pid}`;
}

/** The address of a worker, also of one that has ended. */
export function workerHref(id: string): string {
  return `/workers?id=${encodeURIComponent(id)}`;
}

/** The name of a worker where it lives or has ended in the last 24 hours; else the end of its id. */
export function useWorkerName(id: string | null | undefined): string {
  const living = usePolled(workersQuery(), SELDOM).data;
  const found = living?.find((worker) => worker.id === id);
  const ended = useQuery({
    ...endedWorkersQuery(),
    enabled: Boolean(id && living && !found),
    staleTime: FRESH_MS,
  }).data;
  const worker = found ?? ended?.find((other) => other.id === id);
  return worker ? workerName(worker) : `…${idTail(id ?? "")}`;
}

/** Leads to the worker. */
export function WorkerLink({ id, className }: { id: string; className?: string }) {
  return (
    <Link
      href={workerHref(id)}
      prefetch={false}
      className={`rounded-sm font-mono text-xs break-all underline decoration-line-strong underline-offset-4 hover:decoration-ink ${className ?? ""}`}
    >
      {useWorkerName(id)}
    </Link>
  );
}
