import { expect, type Page, test } from "./fixtures";
import type { System } from "./system";

const SLOTS = 5; // of the embedded worker

/** Fills every slot with jobs that run for minutes, so that nothing moves. Returns their ids. */
async function fillSlots(system: System): Promise<string[]> {
  const ids: string[] = [];
  for (let n = 0; n < SLOTS; n++) {
    const payload = { fail_rate: 0, duration_ms: 300_000 };
    ids.push(await system.submit({ type: "report", payload, queue: "counted", priority: 10 }));
  }
  for (const id of ids) await system.until(id, "running");
  return ids;
}

async function cancel(system: System, ids: string[]) {
  for (const id of ids) await system.post(`/jobs/${id}/cancel`, {});
}

/** The whole number that an element shows. */
async function numberIn(page: Page, label: string | RegExp, role: "link" | "button"): Promise<number> {
  const target = page.getByRole("main").getByRole(role, { name: label }).first();
  const text =
    role === "link"
      ? await target.locator("xpath=..").locator("p").first().innerText()
      : await target.innerText();
  const number = /\d[\d,]*/.exec(text)?.[0];
  if (number === undefined) throw new Error(`no number in ${text}`);
  return Number(number.replaceAll(",", ""));
}

test("every number opens exactly the jobs that it counts", async ({ page, system }) => {
  test.setTimeout(300_000);
  const quick = { type: "email", queue: "counted" };
  const failing = { ...quick, payload: { fail_rate: 1, duration_ms: 0 } };
  const done: string[] = [];
  for (let n = 0; n < 2; n++)
    done.push(await system.submit({ ...quick, payload: { fail_rate: 0, duration_ms: 0 } }));
  const dead: string[] = [];
  for (let n = 0; n < 3; n++) dead.push(await system.submit({ ...failing, max_attempts: 1 }));
  for (const id of done) await system.until(id, "completed");
  for (const id of dead) await system.until(id, "dead");
  const later = [1, 2, 3].map(() => system.submit({ ...quick, delay_seconds: 3600 }));
  await cancel(system, (await Promise.all(later)).slice(0, 1));
  const retried = await system.submit({ ...failing, max_attempts: 3 });
  await system.until(retried, "retrying");
  const blockers = await fillSlots(system);
  const waiting: string[] = [];
  for (let n = 0; n < 4; n++) waiting.push(await system.submit({ ...quick, payload: { duration_ms: 0 } }));
  await expect
    .poll(async () => Date.parse(String((await system.get(`/jobs/${retried}`)).run_at)) - Date.now(), {
      timeout: 30_000,
    })
    .toBeLessThan(-3000);

  const rows = page.locator("tbody tr");
  // What other tests left may come due in between: then the number is read again.
  const opens = async (label: string | RegExp, role: "link" | "button", least: number) =>
    expect(async () => {
      await page.goto("/");
      await expect(rows.first()).toBeVisible();
      const number = await numberIn(page, label, role);
      expect(number, String(label)).toBeGreaterThanOrEqual(least);
      await page.getByRole("main").getByRole(role, { name: label }).first().click();
      await expect(page).toHaveURL(/\?/);
      await expect(page.getByText(/^(All|The newest) [\d,]+ are shown/)).toBeVisible();
      await expect(rows, String(label)).toHaveCount(number, { timeout: 3000 });
    }).toPass({ timeout: 40_000 });

  await opens(/^(Due now|Waiting)$/, "link", 5);
  await opens("Running", "link", SLOTS);
  for (const [name, least] of [
    [/^Waiting/, 4],
    [/^Running/, SLOTS],
    [/^Retrying/, 1],
    [/^Scheduled/, 2],
    [/^Completed/, 2],
    [/^Dead/, 3],
    [/^Cancelled/, 1],
  ] as const) {
    await opens(name, "button", least);
  }

  // Dead letters: the number, the rows of the groups, and what the page says.
  await page.goto("/");
  const number = await numberIn(page, "Dead", "link");
  await page.getByRole("main").getByRole("link", { name: "Dead", exact: true }).click();
  await expect(page.getByRole("status").filter({ hasText: /^\d+ jobs? in \d+ groups?$/ })).toHaveText(
    new RegExp(`^${number} jobs? in`),
  );
  for (const group of await page.locator("button[data-group]").all()) {
    if ((await group.getAttribute("aria-expanded")) === "false") await group.click();
  }
  await expect(page.locator("a[data-job]")).toHaveCount(number);

  // Beside a filter the counts of all jobs would promise what a click does not show.
  await page.goto("/?queue=counted");
  await expect(rows.first()).toBeVisible();
  await expect(page.getByRole("button", { name: "Completed", exact: true })).toBeVisible();

  await cancel(system, blockers);
});

test("a retry that is due says so, in the sentence and in the timeline", async ({ page, system }) => {
  test.setTimeout(120_000);
  const failing = {
    type: "email",
    queue: "counted",
    payload: { fail_rate: 1, duration_ms: 0 },
    max_attempts: 2,
  };
  const id = await system.submit(failing);
  await system.until(id, "retrying");
  const blockers = await fillSlots(system);
  await page.goto(`/jobs/${id}`);
  await expect(
    page.getByText(/^The first retry has been due for \d+ s\. All slots of the 1 worker/),
  ).toBeVisible({
    timeout: 30_000,
  });
  const timeline = page.getByRole("region", { name: "Timeline" });
  await expect(timeline.getByText(/^Backed off 2(\.\d)? s$/)).toBeVisible();
  await expect(timeline.getByText(/^Due, not started yet for \d+ s$/)).toBeVisible();
  await expect(timeline.getByText(/^Backing off/)).toBeHidden();
  await cancel(system, blockers);
  await system.until(id, "dead");
});
