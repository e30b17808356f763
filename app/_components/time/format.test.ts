import { describe, expect, it } from "vitest";
import { formatCoarse, formatCountdown, formatDuration, formatRelative, formatSeconds } from "./format";

const NOW = Date.parse("2030-01-01T12:00:00Z");
const at = (ms: number) => new Date(NOW + ms).toISOString();

describe("spans", () => {
  it("fits its unit to the length", () => {
    expect([0, 12, 999, 1000, 3240, 9949, 9960, 59_400, 60_000, 65_000].map(formatDuration)).toEqual([
      "0 ms",
      "12 ms",
      "999 ms",
      "1 s",
      "3.2 s",
      "9.9 s",
      "10 s",
      "59 s",
      "1 min",
      "1 min 5 s",
    ]);
    expect([59_600, 3_600_000, 7_380_000, 86_400_000, 90_000_000].map(formatSeconds)).toEqual([
      "1 min",
      "1 h",
      "2 h 3 min",
      "1 d",
      "1 d 1 h",
    ]);
    expect([900, 61_000, 7_300_000, 200_000_000].map(formatCoarse)).toEqual(["0 s", "1 min", "2 h", "2 d"]);
  });

  it("is never negative", () => {
    expect([formatDuration(-5), formatSeconds(-5000), formatCoarse(-1)]).toEqual(["0 ms", "0 s", "0 s"]);
  });
});

describe("moments", () => {
  it("says how long ago, or how long until", () => {
    expect(formatRelative(at(-500), NOW)).toBe("now");
    expect(formatRelative(at(-12_000), NOW)).toBe("12 s ago");
    expect(formatRelative(at(7_200), NOW)).toBe("in 8 s");
  });

  it("counts down to due, without a zero on the way", () => {
    expect(formatCountdown(at(3000), NOW)).toBe("3 s");
    expect(formatCountdown(at(2001), NOW)).toBe("3 s");
    expect(formatCountdown(at(1), NOW)).toBe("1 s");
    expect(formatCountdown(at(0), NOW)).toBe("due");
    expect(formatCountdown(at(-9000), NOW)).toBe("due");
  });
});
