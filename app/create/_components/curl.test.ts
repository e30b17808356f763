import { expect, it } from "vitest";
import { curlLine } from "./curl";

it("quotes for a shell", () => {
  expect(curlLine("http://x/api/jobs", `{"a":"it's"}`, "k")).toContain(`-d '{"a":"it'\\''s"}'`);
});
