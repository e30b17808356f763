import { expect, test, violations } from "./fixtures";

const REPORT = { type: "report", queue: "looked-after", payload: { fail_rate: 0, duration_ms: 120_000 } };

test("a worker shows what it runs, and one that has ended can be looked up", async ({
  page,
  system,
  allow,
}) => {
  allow(/Failed to load resource|ERR_CONNECTION_REFUSED/);
  const id = await system.submit(REPORT);
  await system.until(id, "running");
  const { worker } = await system.get(`/workers/${(await system.get(`/jobs/${id}`)).worker_id}`);
  const { id: session, hostname, pid } = worker as Record<string, unknown>;
  const name = `${hostname}:${pid}`;
  await page.goto("/workers");
  const card = page.getByRole("article", { name: `Worker ${name}` });
  await expect(card.getByText("Alive", { exact: true })).toBeVisible();
  await card.getByRole("link", { name: `report …${id.slice(-8)}` }).click();
  await expect(page).toHaveURL(`/jobs/${id}`);

  await system.stopBackend();
  await system.startBackend();
  await page.goto("/workers");
  const ended = page.getByRole("region", { name: "Ended in the last 24 hours" });
  await ended.getByRole("link", { name }).click();
  await expect(page).toHaveURL(`/workers?id=${session}`);
  await expect(card.getByText("Ended", { exact: true }).first()).toBeVisible();
  await expect(card.getByText(String(session))).toBeVisible();
  expect(await violations(page)).toEqual([]);
  await page.getByRole("link", { name: "All workers" }).click();
  await expect(page).toHaveURL("/workers");

  allow(/404/);
  await page.goto("/workers?id=01900000-0000-7000-8000-00000000dead");
  await expect(page.getByText("This worker is not known")).toBeVisible();
});

test("queues and workers are walked by key, and the focus comes back", async ({ page, system }) => {
  for (const queue of ["walk-a", "walk-b"])
    await system.submit({ type: "email", queue, delay_seconds: 3600 });
  await page.goto("/queues");
  const rows = page.locator("tbody a");
  await expect(rows.filter({ hasText: "walk-b" })).toBeVisible();
  await page.keyboard.press("j");
  await expect(rows.first()).toBeFocused();
  const last = await rows.count();
  for (let i = 0; i < last + 2; i++) await page.keyboard.press("j");
  await page.keyboard.press("k");
  const focused = rows.nth(last - 2);
  await expect(focused).toBeFocused();
  const name = await focused.textContent();
  await page.keyboard.press("Enter");
  await expect(page).toHaveURL(`/?queue=${name}`);
  await page.goBack();
  await expect(rows.filter({ hasText: String(name) })).toBeFocused();

  await page.goto("/workers");
  await expect(page.getByRole("article").first()).toBeVisible();
  await page.keyboard.press("j");
  await page.keyboard.press("Enter");
  await expect(page).toHaveURL(/\/workers\?id=/);
  await page.goBack();
  await expect(page.getByRole("article").first().getByRole("heading").getByRole("link")).toBeFocused();
});
