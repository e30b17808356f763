import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { render, screen, waitFor } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { expect, it, vi } from "vitest";
import { PollingProvider } from "@/_api/polling";
import { DeadLetters } from "./dead-letters";

let search = "";
vi.mock("next/navigation", () => ({ useSearchParams: () => new URLSearchParams(search) }));

const dead = (n: number) => ({
  id: `01900000-0000-7000-8000-${String(n).padStart(12, "0")}`,
  type: "email",
  queue: "default",
  status: "failed",
  state: "dead",
  attempts: 1,
  max_attempts: 1,
  metadata: { customer: "ada" },
  error_message: "oh",
  created_at: "2030-01-01T12:00:00Z",
  finished_at: "2030-01-01T12:00:00Z",
});

/** Retries jobs of a list that does not end, and returns the request. */
async function retried(query: string, button: string | RegExp, answer: string): Promise<unknown> {
  search = query;
  const posts: unknown[] = [];
  vi.stubGlobal("fetch", async (request: Request) => {
    const { pathname, searchParams } = new URL(request.url);
    if (request.method === "POST") {
      posts.push(await request.json());
      return Response.json({ retried: 1 });
    }
    if (pathname.endsWith("/dlq")) {
      const page = Number(searchParams.get("cursor"));
      return Response.json({ jobs: [dead(page)], next_cursor: String(page + 1) });
    }
    if (pathname.endsWith("/metrics")) return Response.json({ dead: 1000 });
    return Response.json({ job_types: [], queues: [] });
  });
  const user = userEvent.setup();
  const client = new QueryClient({ defaultOptions: { queries: { retry: false } } });
  const { unmount } = render(
    <QueryClientProvider client={client}>
      <PollingProvider>
        <DeadLetters />
      </PollingProvider>
    </QueryClientProvider>,
  );
  // No number is taken for the whole: what the groups and the export are of is said.
  await waitFor(() => expect(screen.getByText(/export are of the newest 5\.$/)).toBeVisible());
  expect(screen.getByRole("button", { name: "Export newest 5" })).toBeVisible();
  await user.click(screen.getByRole("button", { name: button }));
  await user.click(await screen.findByRole("button", { name: answer }, { timeout: 10_000 }));
  await waitFor(() => expect(posts).toHaveLength(1));
  unmount();
  return posts[0];
}

it("retries by filter what is too much to be shown", async () => {
  expect(await retried("", "Retry all…", "Retry 1,000 jobs")).toEqual({ filter: {} });
  expect(await retried("queue=default", "Retry all…", "Retry all that match")).toEqual({
    filter: { queue: "default" },
  });
});

const SHOWN = [0, 1, 2, 3, 4].map((n) => dead(n).id);

it("retries only what is shown where it is filtered by metadata, which a redrive does not know", async () => {
  const query = "queue=default&metadata=customer:ada";
  expect(await retried(query, "Retry these…", "Retry 5 jobs")).toEqual({ ids: SHOWN });
});

it("retries as many jobs of a group as the button says", async () => {
  expect(await retried("", /^Retry 5\b/, "Retry 5 jobs")).toEqual({ ids: SHOWN });
});
