import { expect, test } from "./fixtures";

const MANY = 10_000;

test("ten thousand jobs do not slow the page down", async ({ page, system }) => {
  test.setTimeout(120_000);
  const batch = {
    jobs: Array.from({ length: 1000 }, () => ({ type: "email", queue: "many", delay_seconds: 86_400 })),
  };
  for (let n = 0; n < MANY; n += 1000) await system.post("/jobs/bulk", batch);

  const began = Date.now();
  await page.goto("/?queue=many");
  await expect(page.locator("tbody tr")).toHaveCount(100);
  expect(Date.now() - began).toBeLessThan(4000);
  for (let pages = 2; pages <= 4; pages++) {
    await page.getByRole("button", { name: "Load more" }).click();
    await expect(page.locator("tbody tr")).toHaveCount(100 * pages);
  }

  // How long the page cannot answer to a person while it refreshes, and whether anything moves.
  const { blocked, shifted } = await page.evaluate(async () => {
    let blocked = 0;
    let shifted = 0;
    new PerformanceObserver((list) => {
      for (const entry of list.getEntries()) blocked = Math.max(blocked, entry.duration);
    }).observe({ type: "longtask" });
    new PerformanceObserver((list) => {
      for (const entry of list.getEntries()) shifted += "value" in entry ? Number(entry.value) : 0;
    }).observe({ type: "layout-shift" });
    await new Promise((resolve) => setTimeout(resolve, 10_000));
    return { blocked, shifted };
  });
  expect(blocked).toBeLessThan(1000);
  expect(shifted).toBeLessThan(0.002); // a digit more in a count, not a row

  await page.goto("/");
  await expect(page.getByRole("button", { name: /^Scheduled 10[,.\d]*K?$/ })).toBeVisible();
});
