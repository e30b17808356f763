import { expect, it } from "vitest";
import { backoffSeconds, describeSchedule, retrySchedule, scheduleTotal } from "./retry-schedule";

it("doubles from two seconds, up to an hour", () => {
  expect(retrySchedule(4)).toEqual([2, 4, 8]);
  expect(backoffSeconds(11)).toBe(2048);
  expect(backoffSeconds(12)).toBe(3600);
  expect(backoffSeconds(2000)).toBe(3600);
});

it("has nothing to say of a single attempt", () => {
  expect(retrySchedule(1)).toEqual([]);
  expect(retrySchedule(0)).toEqual([]);
  expect(describeSchedule(1)).toBe("");
  expect(scheduleTotal(1)).toBe(0);
});

it("describes the waits, and cuts long schedules in the middle", () => {
  expect(describeSchedule(4)).toBe("2 s, 4 s, 8 s");
  expect(scheduleTotal(4)).toBe(14_000);
  expect(describeSchedule(100)).toBe("2 s, 4 s, 8 s, 16 s, 32 s, 1 min 4 s, …, 1 h");
});
