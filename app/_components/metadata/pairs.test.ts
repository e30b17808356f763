import { expect, it } from "vitest";
import { formatPair, MAX_PAIRS, pairsFault, pairsOf, parsePair } from "./pairs";

it("reads what it writes", () => {
  const odd = ["order", "a:b", "\\", "a\\:", "é 🚢", "\n"];
  for (const name of odd) {
    for (const value of [...odd, "", ":::"]) {
      expect(parsePair(formatPair({ name, value }))).toEqual({ name, value });
    }
  }
  expect(formatPair({ name: "a:b\\c", value: "d:e\\f" })).toBe("a\\:b\\\\c:d:e\\f");
  expect(parsePair("a=b:c=d:e")).toEqual({ name: "a=b", value: "c=d:e" });
  for (const text of ["", "order", "a\\b:c", "a\\", "a\\:b"]) expect(parsePair(text)).toBeUndefined();
});

it("knows the limits of the API", () => {
  const pair = (name: string, value = "") => ({ name, value });
  const many = Array.from({ length: MAX_PAIRS }, (_, i) => pair(`n${i}`));
  expect(pairsFault([])).toBeUndefined();
  expect(pairsFault(many)).toBeUndefined();
  expect(pairsFault([...many, pair("one more")])).toBe("At most 16 pairs.");
  expect(pairsFault([pair("", "x")])).toBe("Each pair needs a name.");
  expect(pairsFault([pair("a"), pair("b"), pair("a")])).toBe("The name a is there twice.");
  expect(pairsFault([pair("a", "\0")])).toMatch("U+0000");
  expect(pairsFault([pair("é", "x".repeat(1022))])).toBeUndefined();
  expect(pairsFault([pair("é", "x".repeat(1023))])).toMatch("these are 1025");
});

it("takes a job without metadata", () => {
  expect(pairsOf(null)).toEqual([]);
  expect(pairsOf({ order: "7" })).toEqual([{ name: "order", value: "7" }]);
});
