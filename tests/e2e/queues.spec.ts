import { expect, test, violations } from "./fixtures";

test("a queue whose jobs are done stays listed, and is found by the beginning of its name", async ({
  page,
  system,
}) => {
  const done = await system.submit({ type: "email", queue: "quiet-one", payload: { duration_ms: 0 } });
  await system.submit({ type: "email", queue: "busy-one", delay_seconds: 3600 });
  await system.until(done, "completed");
  await page.goto("/queues");
  await expect(page.getByRole("rowheader", { name: "quiet-one" })).toBeVisible();
  await page.getByLabel("Beginning of the queue's name").fill("quiet");
  await expect(page.locator("tbody tr")).toHaveCount(1);
  expect(await violations(page)).toEqual([]);
  await page.getByLabel("Beginning of the queue's name").fill("nobody");
  await expect(page.getByText("No queue begins like this.")).toBeVisible();
});
