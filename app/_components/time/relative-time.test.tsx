import { act, render, screen } from "@testing-library/react";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { serverNow, syncClock } from "./clock";
import { Countdown, RelativeTime } from "./relative-time";

const NOW = Date.parse("2030-01-01T12:00:00Z");

beforeEach(() => vi.useFakeTimers({ now: NOW }));
afterEach(() => {
  vi.useRealTimers();
  syncClock(new Date().toUTCString());
});

const pass = (ms: number) => act(() => vi.advanceTimersByTime(ms));

it("counts down to due, with the exact time in the title", async () => {
  render(<Countdown to={new Date(NOW + 3000).toISOString()} />);
  await pass(1000);
  expect(screen.getByText("2 s")).toHaveAttribute(
    "title",
    expect.stringContaining("2030-01-01T12:00:03.000Z"),
  );
  await pass(2000);
  expect(screen.getByText("due")).toBeInTheDocument();
});

it("draws anew only when the words change", async () => {
  const read = vi.fn();
  function Watched() {
    read();
    return <RelativeTime at={new Date(NOW - 120_000).toISOString()} />;
  }
  render(<Watched />);
  await pass(1000);
  expect(screen.getByText("2 min ago")).toBeInTheDocument();
  await pass(30_000);
  expect(screen.getByText("2 min ago")).toBeInTheDocument();
  await pass(30_000);
  expect(screen.getByText("3 min ago")).toBeInTheDocument();
  expect(read).toHaveBeenCalledTimes(1);
});

it("follows the server's clock where the browser's is wrong, and not for a second or two", () => {
  syncClock(new Date(NOW + 1500).toUTCString());
  expect(serverNow()).toBe(NOW);
  syncClock(new Date(NOW + 600_000).toUTCString());
  expect(serverNow()).toBe(NOW + 600_000);
  syncClock("nonsense");
  expect(serverNow()).toBe(NOW + 600_000);
});
