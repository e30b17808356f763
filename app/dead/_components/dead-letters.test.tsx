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

/** Retries all of a list that does not end, and returns the request. */
async function retryAll(query: string): Promise<unknown> {
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
  await waitFor(() => expect(screen.getByText(/the newest 5 are shown/)).toBeVisible());
  await user.click(screen.getByRole("button", { name: "Retry all…" }));
  await user.click(await screen.findByRole("button", { name: /^Retry [\d,]+ jobs/ }));
  await waitFor(() => expect(posts).toHaveLength(1));
  unmount();
  return posts[0];
}

it("sends back by filter what is too much to be shown", async () => {
  expect(await retryAll("queue=default")).toEqual({ filter: { queue: "default" } });
});

it("sends back only what is shown where it is filtered by metadata, which a redrive does not know", async () => {
  const ids = [0, 1, 2, 3, 4].map((n) => dead(n).id);
  expect(await retryAll("queue=default&metadata=customer:ada")).toEqual({ ids });
});
