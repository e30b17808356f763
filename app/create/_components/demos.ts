import type { Draft } from "./form-state";

// Jobs to look at: they use fields that every built-in type understands.

export type Demo = { label: string; type: string; hint: string; draft: Omit<Draft, "type" | "metadata"> };

const PLAIN = { queue: "", priority: "", maxAttempts: "", delay: "" };

function payload(fields: Record<string, unknown>): string {
  return JSON.stringify(fields, null, 2);
}

export const DEMOS: readonly Demo[] = [
  {
    label: "Succeeds",
    type: "email",
    hint: "Done after a second",
    draft: {
      ...PLAIN,
      payload: payload({ to: "ada@example.com", subject: "Your receipt", duration_ms: 1000, fail_rate: 0 }),
    },
  },
  {
    label: "Slow, with progress",
    type: "report",
    hint: "Takes 30 seconds and tells how far it is",
    draft: {
      ...PLAIN,
      payload: payload({
        title: "Yearly sales",
        format: "pdf",
        rows: 250000,
        duration_ms: 30000,
        fail_rate: 0,
      }),
    },
  },
  {
    label: "Fails twice",
    type: "report",
    hint: "Two attempts fail, the third one succeeds",
    draft: {
      ...PLAIN,
      payload: payload({ title: "Flaky source", rows: 1000, duration_ms: 1500, fail_attempts: 2 }),
    },
  },
  {
    label: "Always fails",
    type: "email",
    hint: "Three attempts, then it is dead",
    draft: {
      ...PLAIN,
      maxAttempts: "3",
      payload: payload({ to: "nobody@example.com", subject: "Hello", duration_ms: 500, fail_rate: 1 }),
    },
  },
];
