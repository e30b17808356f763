import { QueryClient, QueryClientProvider, replaceEqualDeep } from "@tanstack/react-query";
import { render, screen } from "@testing-library/react";
import { useState } from "react";
import { expect, it, vi } from "vitest";
import type { JobSummary } from "@/_api/types";
import { JobTable } from "./job-table";
import { begin } from "./still";
import type { Selection } from "./use-selection";

const drawn = vi.hoisted(() => ({ badges: 0 }));
vi.mock("../job-state", async (original) => ({
  ...(await original<typeof import("../job-state")>()),
  StateBadge: ({ state }: { state: string }) => {
    drawn.badges++;
    return <span>{state}</span>;
  },
}));

function job(n: number): JobSummary {
  const id = `01900000-0000-7000-8000-${String(n).padStart(12, "0")}`;
  const at = "2030-01-01T12:00:00Z";
  return {
    id,
    type: "email",
    queue: "default",
    status: "processing",
    state: "running",
    priority: 0,
    attempts: 1,
    max_attempts: 5,
    metadata: null,
    timeout_seconds: 60,
    run_at: at,
    error_message: null,
    failure_kind: null,
    progress: null,
    worker_id: null,
    cancel_requested_at: null,
    started_at: at,
    finished_at: null,
    created_at: at,
    updated_at: at,
  };
}

const selection: Selection = {
  ids: new Set(),
  jobs: [],
  toggle: () => {},
  toggleAll: () => {},
  clear: () => {},
  all: false,
};

it("draws only the rows that changed when a hundred are refreshed", async () => {
  let refresh: (jobs: JobSummary[]) => void = () => {};
  function List() {
    const [jobs, setJobs] = useState(Array.from({ length: 100 }, (_, i) => job(i)));
    // What the query cache does with every answer: equal parts stay the same objects.
    refresh = (next) => setJobs((old) => replaceEqualDeep(old, next));
    return <JobTable shown={begin({ jobs, complete: true, pages: 1 })} selection={selection} />;
  }
  render(
    <QueryClientProvider client={new QueryClient()}>
      <List />
    </QueryClientProvider>,
  );
  expect(drawn.badges).toBe(100);
  const next = Array.from({ length: 100 }, (_, i) => job(i));
  next[41] = { ...job(41), status: "completed", state: "completed", finished_at: "2030-01-01T12:00:01Z" };
  refresh(next);
  expect(await screen.findByText("completed")).toBeVisible();
  expect(drawn.badges).toBe(101);
});
