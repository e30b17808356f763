import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { render, screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { beforeEach, describe, expect, it, vi } from "vitest";
import { CreateForm } from "./create-form";
import { RetryPreview } from "./type-fields";

const push = vi.fn();
vi.mock("next/navigation", () => ({
  useRouter: () => ({ push }),
  useSearchParams: () => new URLSearchParams("type=email"),
}));

const TYPES = {
  job_types: [
    {
      name: "email",
      description: "Pretends to send.",
      queue: "mail",
      max_attempts: 5,
      timeout_seconds: 60,
      seen_at: null,
      schema: {
        type: "object",
        properties: { to: { type: "string" }, duration_ms: { type: "integer", minimum: 0 } },
      },
      example: { to: "ada@example.com" },
    },
  ],
};

const posts: { body: string; key: string | null }[] = [];
let answer: () => Response;

beforeEach(() => {
  posts.length = 0;
  push.mockReset();
  answer = () =>
    Response.json({ id: "01900000-0000-7000-8000-000000000001", type: "email" }, { status: 201 });
  vi.stubGlobal("fetch", async (request: Request) => {
    if (request.method !== "POST") return Response.json(TYPES);
    posts.push({ body: await request.text(), key: request.headers.get("idempotency-key") });
    return answer();
  });
});

async function form() {
  const user = userEvent.setup();
  render(
    <QueryClientProvider client={new QueryClient({ defaultOptions: { queries: { retry: false } } })}>
      <CreateForm />
    </QueryClientProvider>,
  );
  const editor = await screen.findByLabelText("Payload (JSON)");
  const write = async (text: string) => {
    await user.clear(editor);
    await user.paste(text);
  };
  return { user, editor, write, create: screen.getByRole("button", { name: /Create job/ }) };
}

describe("the form", () => {
  it("sends the typed text once, however often it is pressed, and goes to the job", async () => {
    const { user, write, create } = await form();
    await write('{"n": 12345678901234567890, "x": 1.00}');
    await user.dblClick(create);
    await waitFor(() => expect(push).toHaveBeenCalledWith("/jobs/01900000-0000-7000-8000-000000000001"));
    expect(posts).toHaveLength(1);
    expect(posts[0]?.body).toContain('"payload":{"n": 12345678901234567890, "x": 1.00}');
    expect(posts[0]?.key).toMatch(/^[0-9a-f]{32}$/);
  });

  it("names line and column of a mistake, and says why the button rests", async () => {
    const { user, write, create } = await form();
    await write('{\n  "to": }');
    expect(screen.getByText(/Line 2, column 9: A value is expected/)).toBeVisible();
    expect(create).toHaveAttribute("aria-disabled", "true");
    expect(create).toHaveAccessibleDescription(/Line 2 of the payload/);
    await user.click(create);
    expect(posts).toHaveLength(0);
  });

  it("brings the server's faults to their fields and lines, with the same key for the next try", async () => {
    answer = () =>
      Response.json(
        {
          type: "urn:windlass:problem:invalid",
          title: "Invalid",
          status: 422,
          detail: "See errors.",
          errors: [
            { detail: "must be a number", pointer: "/payload/duration_ms" },
            { detail: "is taken", pointer: "/queue" },
          ],
        },
        { status: 422 },
      );
    const { user, write, create } = await form();
    await write('{\n  "to": "x",\n  "duration_ms": "soon"\n}');
    await user.click(create);
    expect(await screen.findByText("Line 3: duration_ms must be a number.")).toBeVisible();
    expect(screen.getByLabelText("Queue")).toHaveAccessibleDescription("Is taken.");
    await user.click(create);
    await waitFor(() => expect(posts).toHaveLength(2));
    expect(posts[1]?.key).toBe(posts[0]?.key);
    expect(push).not.toHaveBeenCalled();
  });

  it("sends the pairs of metadata, and leaves out rows that are empty", async () => {
    const { user, create } = await form();
    const add = screen.getByRole("button", { name: "Add pair" });
    await user.click(add);
    expect(screen.getByLabelText("Name 1")).toHaveFocus();
    await user.keyboard("customer{Tab}Ada");
    await user.click(add);
    await user.type(screen.getByLabelText("Name 2"), "order");
    await user.click(add);
    await user.type(screen.getByLabelText("Name 3"), "last");
    await user.click(screen.getByRole("button", { name: "Remove pair 2" }));
    expect(screen.getByLabelText("Name 2")).toHaveValue("last");
    expect(add).toHaveFocus();
    await user.click(add);
    await user.click(create);
    await waitFor(() => expect(posts).toHaveLength(1));
    expect(JSON.parse(posts[0]?.body ?? "").metadata).toEqual({ customer: "Ada", last: "" });
  });

  it("says what is wrong with the metadata, and what the server says of it", async () => {
    answer = () =>
      Response.json(
        {
          type: "urn:windlass:problem:invalid",
          title: "Invalid",
          status: 422,
          detail: "See errors.",
          errors: [{ detail: "is not wanted", pointer: "/metadata/a~1b" }],
        },
        { status: 422 },
      );
    const { user, create } = await form();
    const add = screen.getByRole("button", { name: "Add pair" });
    await user.click(add);
    await user.type(screen.getByLabelText("Value 1"), "x");
    expect(screen.getByLabelText("Name 1")).toHaveAccessibleDescription("Each pair needs a name.");
    expect(create).toHaveAttribute("aria-disabled", "true");
    await user.type(screen.getByLabelText("Name 1"), "a/b");
    await user.click(create);
    expect(await screen.findByText("a/b is not wanted.")).toBeVisible();
    for (let i = 1; i < 16; i++) await user.click(add);
    expect(add).toHaveAttribute("aria-disabled", "true");
  });

  it("writes the fields of the schema into the text", async () => {
    const { user, editor } = await form();
    const fields = within(screen.getByRole("group", { name: "Payload fields" }));
    await user.type(fields.getByLabelText("duration_ms"), "1500");
    expect(editor).toHaveValue('{\n  "to": "ada@example.com",\n  "duration_ms": 1500\n}');
    await user.clear(fields.getByLabelText("to"));
    expect(editor).toHaveValue('{\n  "duration_ms": 1500\n}');
    await user.type(fields.getByLabelText("duration_ms"), "x");
    expect(fields.getByLabelText("duration_ms")).toHaveAccessibleDescription("This is not a number.");
    expect(editor).toHaveValue('{\n  "duration_ms": 1500\n}');
  });
});

it("previews the retries", () => {
  const { container, rerender } = render(<RetryPreview attempts={4} />);
  expect(container).toHaveTextContent("Retries after 2 s, 4 s, 8 s; gives up after about 14 s.");
  rerender(<RetryPreview attempts={1} />);
  expect(container).toHaveTextContent("No retry");
});
