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
  const table = page.getByRole("table");
  const rows = table.locator("tbody tr");
  await expect(rows).toHaveCount(100);
  expect(Date.now() - began).toBeLessThan(4000);
  for (let pages = 2; pages <= 4; pages++) {
    await page.getByRole("button", { name: "Load more" }).click();
    if (pages <= 2) await expect(rows).toHaveCount(100 * pages);
    else await expect(table).toHaveAttribute("aria-rowcount", `${100 * pages + 1}`);
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

test("a long list draws only the rows in sight, and keys walk on into those that are not drawn", async ({
  page,
  system,
}) => {
  test.setTimeout(120_000);
  const batch = {
    jobs: Array.from({ length: 700 }, () => ({ type: "email", queue: "long", delay_seconds: 86_400 })),
  };
  await system.post("/jobs/bulk", batch);
  await page.goto("/?queue=long");
  const table = page.getByRole("table");
  for (let pages = 2; pages <= 6; pages++) {
    await page.getByRole("button", { name: "Load more" }).click();
    await expect(page.getByText(`The newest ${pages}00 are shown.`)).toBeVisible();
  }
  await expect(table).toHaveAttribute("aria-rowcount", "601");
  await expect.poll(() => table.locator("tbody tr").count()).toBeLessThan(100);
  expect(await page.locator("main *").count()).toBeLessThan(4000);

  // Each row has its place, from the first to the last, and the keys walk on into what is not drawn yet.
  await page.keyboard.press("End");
  await expect(table.locator("tr[aria-rowindex='601']")).toBeInViewport();
  await table.locator("tr[aria-rowindex='570'] a").focus();
  for (let i = 0; i < 5; i++) await page.keyboard.press("k");
  const link = table.locator("tr[aria-rowindex='565'] a");
  await expect(link).toBeFocused();
});
