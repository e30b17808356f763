import { expect, it } from "vitest";
import { submissionBody } from "./mutations";

it("sends the payload as it was typed", () => {
  const payload = '{\n  "n": 12345678901234567890, "x": 1.00\n}';
  const body = submissionBody({ type: "email", payload, priority: 3, queue: undefined });
  expect(body).toBe(`{"type":"email","priority":3,"payload":${payload}}`);
  expect(() => JSON.parse(body)).not.toThrow();
});
