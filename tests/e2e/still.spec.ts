import { expect, type Page, test } from "./fixtures";

const FAILING = { payload: { fail_rate: 1, duration_ms: 0 }, max_attempts: 1 };

/** Sums how far things have moved by themselves since the page began. */
async function watchShifts(page: Page) {
  await page.addInitScript(() => {
    const sum = { value: 0, of: [] as string[] };
    Object.assign(window, { shifts: sum });
    new PerformanceObserver((list) => {
      for (const entry of list.getEntries()) {
        if (!("value" in entry) || ("hadRecentInput" in entry && entry.hadRecentInput)) continue;
        sum.value += Number(entry.value);
        const sources = "sources" in entry && Array.isArray(entry.sources) ? entry.sources : [];
        for (const { node } of sources)
          sum.of.push(
            `${entry.value} ${node instanceof Element ? node.outerHTML.slice(0, 160) : node?.textContent}`,
          );
      }
    }).observe({ type: "layout-shift", buffered: true });
  });
}

async function shifts(page: Page): Promise<{ value: number; of: string[] }> {
  // Two frames, so that the last change has been measured.
  await page.evaluate(
    () => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(() => resolve(0)))),
  );
  return page.evaluate(() => Reflect.get(window, "shifts"));
}

test("rows stay where they are, and what comes is counted until it is asked for", async ({
  page,
  system,
}) => {
  const job = { type: "email", queue: "calm", delay_seconds: 3600 };
  const first = await system.submit(job);
  const second = await system.submit(job);
  await page.goto("/?queue=calm");
  const rows = page.locator("tbody a[data-job]");
  await expect(rows).toHaveCount(2);
  const top = await rows.first().boundingBox();

  const third = await system.submit(job);
  await system.submit(job);
  await expect(page.getByRole("button", { name: "2 new, show" })).toBeVisible();
  await expect(rows).toHaveCount(2);
  await expect(rows.first()).toHaveAttribute("data-job", second);
  expect(await rows.first().boundingBox()).toEqual(top);

  // In place: the state of a row changes where it is.
  await system.post(`/jobs/${first}/cancel`, {});
  await expect(page.locator("tbody tr").nth(1).locator("[data-state=cancelled]")).toBeVisible();

  await page.getByRole("button", { name: "2 new, show" }).click();
  await expect(rows).toHaveCount(4);
  await expect(rows.nth(1)).toHaveAttribute("data-job", third);
  await expect(page.getByRole("button", { name: /new, show$/ })).toBeHidden();
});

test("a job that no longer fits keeps its place until the list is read again", async ({ page, system }) => {
  const job = { type: "email", queue: "leaving", delay_seconds: 3600 };
  const ids = [await system.submit(job), await system.submit(job), await system.submit(job)];
  await page.goto("/?queue=leaving&state=scheduled");
  const rows = page.locator("tbody a[data-job]");
  await expect(rows).toHaveCount(3);
  const place = await rows.last().boundingBox();
  await system.post(`/jobs/${ids[1]}/cancel`, {});
  await expect(page.locator("tbody tr").nth(1).getByText("Moved on")).toBeVisible();
  // "The newest 2" where thousands of other jobs keep the list from looking to its end.
  await expect(page.getByText(/^(All|The newest) 2 are shown\.$/)).toBeVisible();
  expect(await rows.last().boundingBox()).toEqual(place);
});

test("a hundred arrivals do not push rows out of sight of the refresh", async ({ page, system }) => {
  const job = { type: "email", queue: "pushed", delay_seconds: 3600 };
  const id = await system.submit(job);
  await page.goto("/?queue=pushed");
  await expect(page.locator("tbody tr")).toHaveCount(1);
  await system.post("/jobs/bulk", { jobs: Array.from({ length: 150 }, () => job) });
  await expect(page.getByRole("button", { name: "30+ new, show" })).toBeVisible();
  await system.post(`/jobs/${id}/cancel`, {});
  await expect(page.locator("tbody [data-state=cancelled]")).toBeVisible();
});

test("the place of a row's button does not open the job", async ({ page, system }) => {
  await system.submit({ type: "email", queue: "aimed", delay_seconds: 3600 });
  await page.goto("/?queue=aimed");
  await expect(page.locator("tbody tr")).toHaveCount(1);
  await page.locator("tbody tr td").last().locator("span").click();
  await expect(page).toHaveURL("/?queue=aimed");
});

test("groups of dead letters keep their places", async ({ page, system }) => {
  const die = async (type: string) =>
    system.until(await system.submit({ ...FAILING, type, queue: "tombs" }), "dead");
  // The built-in types fail with one of several errors.
  await page.route("**/api/dlq?*", async (route) => {
    const response = await route.fetch();
    const body = await response.json();
    for (const job of body.jobs) job.error_message = `no ${job.type}`;
    await route.fulfill({ response, json: body });
  });
  await die("email");
  await die("report");
  await die("report");
  await page.goto("/dead?queue=tombs");
  const groups = page
    .locator("button[data-group], button[aria-controls][aria-expanded]")
    .filter({ hasText: "newest" });
  await expect(groups).toHaveCount(2);
  const before = await groups.allInnerTexts();
  expect(before[0]).toContain("report");

  for (let n = 0; n < 4; n++) await die("email");
  await expect(page.getByRole("button", { name: "4 new, show" })).toBeVisible();
  expect((await groups.allInnerTexts()).map((text) => text.split("·")[0])).toEqual(
    before.map((text) => text.split("·")[0]),
  );
  await page.getByRole("button", { name: "4 new, show" }).click();
  await expect(groups.first()).toContainText("email");
  await expect(page.getByRole("button", { name: /^Retry 5/ })).toBeVisible();
});

test("nothing moves while data arrive and attention changes", async ({ page, system }) => {
  test.setTimeout(120_000);
  await watchShifts(page);
  const failing = { ...FAILING, type: "email", queue: "moved" };
  await system.until(await system.submit(failing), "dead");

  // Concerns come and go.
  let silent = false;
  await page.route("**/api/workers", async (route) => {
    const response = await route.fetch();
    const body = await response.json();
    if (silent) for (const worker of body.workers) worker.last_heartbeat_at = "2020-01-01T00:00:00Z";
    await route.fulfill({ response, json: body });
  });
  await page.goto("/");
  await expect(page.getByText(/failed permanently|failed for good/)).toBeVisible();
  await expect(page.locator("tbody tr").first()).toBeVisible();
  silent = true;
  await expect(page.getByText(/^1 more$|has been silent/).first()).toBeVisible();
  for (let n = 0; n < 3; n++) await system.until(await system.submit(failing), "dead");
  silent = false;
  await expect(page.getByText(/^1 more$|has been silent/)).toHaveCount(0);
  let moved = await shifts(page);
  expect(moved.value, moved.of.join("\n")).toBeLessThan(0.01);

  await page.goto("/dead");
  await expect(page.locator("button[aria-expanded]").first()).toBeVisible();
  for (let n = 0; n < 3; n++) {
    await system.until(await system.submit({ ...failing, type: n > 0 ? "report" : "image" }), "dead");
  }
  await expect(page.getByText(/^3 new, show$|image · newest/).first()).toBeVisible();
  moved = await shifts(page);
  expect(moved.value, moved.of.join("\n")).toBeLessThan(0.01);
});
