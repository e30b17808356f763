import { expect, it } from "vitest";
import { isFiltered, listHref, readFilter } from "./search-params";

it("writes what it reads", () => {
  for (const filter of [
    {},
    { state: "dead" as const },
    { type: "a.b-c_1", queue: "bulk" },
    { metadata: ["customer:Ada & sons", "a\\:b:c=d%"], queue: "bulk" },
  ]) {
    const href = listHref(filter);
    expect(readFilter(new URL(href, "http://x").searchParams)).toEqual(filter);
  }
  expect(listHref({})).toBe("/");
  expect(listHref({ state: "dead", queue: "q" }, "/dead")).toBe("/dead?state=dead&queue=q");
});

it("leaves out what does not fit", () => {
  const read = (query: string) => readFilter(new URLSearchParams(query));
  expect(read("state=nonsense&type=<script>&queue=A")).toEqual({});
  expect(read("state=constructor&state=dead")).toEqual({});
  expect(read("state=&type=&queue=")).toEqual({});
  expect(read("metadata=&metadata=x&metadata=:y")).toEqual({});
  expect(read("metadata=a:1&metadata=b:2&metadata=a:3")).toEqual({ metadata: ["a:1", "b:2"] });
  expect(read(`metadata=a:${"x".repeat(1024)}&metadata=b:2`)).toEqual({ metadata: ["b:2"] });
  expect(read("state=completed&other=1")).toEqual({ state: "completed" });
});

it("knows whether anything is left out", () => {
  expect(isFiltered({})).toBe(false);
  expect(isFiltered({ state: undefined })).toBe(false);
  expect(isFiltered({ queue: "q" })).toBe(true);
  expect(isFiltered({ metadata: [] })).toBe(false);
  expect(isFiltered({ metadata: ["a:1"] })).toBe(true);
});
