import { expect, test } from "./fixtures";

test("every page is a key away", async ({ page }) => {
  await page.goto("/");
  await expect(page.getByRole("heading", { level: 1 })).toHaveText("Overview");
  for (const [keys, title] of [
    ["gd", "Dead letters"],
    ["gq", "Queues"],
    ["gw", "Workers"],
    ["go", "Overview"],
    ["c", "New job"],
  ] as const) {
    // The second key of a pair counts for a moment only, which a busy machine may miss.
    await expect(async () => {
      for (const key of keys) await page.keyboard.press(key);
      await expect(page.getByRole("heading", { level: 1 })).toHaveText(title, { timeout: 5000 });
    }).toPass();
  }
  // In a field the same letters are text.
  await page.getByLabel("Queue").focus();
  await page.keyboard.type("gdc");
  await expect(page.getByLabel("Queue")).toHaveValue("gdc");
});

test("the palette finds pages and jobs", async ({ page, system }) => {
  const id = await system.submit({ type: "email", payload: { duration_ms: 0 } });
  await page.goto("/");
  await expect(page.locator("tbody tr").first()).toBeVisible();
  await page.keyboard.press("/");
  await expect(page.getByPlaceholder(/^Find a page/)).toBeFocused();
  await page.keyboard.type("work");
  await page.keyboard.press("Enter");
  await expect(page.getByRole("heading", { level: 1 })).toHaveText("Workers");
  await page.keyboard.press("Control+k");
  await expect(page.getByPlaceholder(/^Find a page/)).toBeFocused();
  await page.keyboard.insertText(id);
  await page.keyboard.press("Enter");
  await expect(page).toHaveURL(`/jobs/${id}`);
  await page.keyboard.press("?");
  await expect(page.getByRole("dialog", { name: "Keyboard" })).toBeVisible();
  await page.keyboard.press("Escape");
  await expect(page.getByRole("dialog")).toBeHidden();
});

test("rows are walked, opened and selected by key", async ({ page, system }) => {
  const job = { type: "email", payload: { duration_ms: 0 }, queue: "walked" };
  const older = await system.submit(job);
  const newer = await system.submit(job);
  await page.goto("/?queue=walked");
  await expect(page.locator("tbody tr")).toHaveCount(2);
  await page.keyboard.press("j");
  await expect(page.locator(`a[data-job="${newer}"]`)).toBeFocused();
  await page.keyboard.press("j");
  await page.keyboard.press("x");
  await expect(page.getByText("1 job selected")).toBeVisible();
  await page.keyboard.press("Escape");
  await expect(page.getByText("1 job selected")).toBeHidden();
  await page.keyboard.press("Enter");
  await expect(page).toHaveURL(`/jobs/${older}`);
});

test("a chosen theme stays", async ({ page }) => {
  await page.goto("/");
  await page.getByRole("button", { name: "Dark" }).click();
  await page.reload();
  await expect(page.locator("html")).toHaveAttribute("data-theme", "dark");
});

test("back from a job, the row has the focus and the page its place", async ({ page, system }) => {
  const job = { type: "email", queue: "way-back", delay_seconds: 3600 };
  await system.post("/jobs/bulk", { jobs: Array.from({ length: 60 }, () => job) });
  await page.goto("/?queue=way-back");
  const rows = page.locator("tbody a[data-job]");
  await expect(rows).toHaveCount(60);
  const chosen = rows.nth(45);
  const id = await chosen.getAttribute("data-job");
  await chosen.focus();
  await chosen.scrollIntoViewIfNeeded();
  const scrolled = await page.evaluate(() => window.scrollY);
  expect(scrolled).toBeGreaterThan(0);
  await page.keyboard.press("Enter");
  await expect(page).toHaveURL(`/jobs/${id}`);
  await expect(page.getByRole("heading", { level: 1 })).toHaveText("email");
  await page.goBack();
  await expect(page.locator(`a[data-job="${id}"]`)).toBeFocused();
  expect(Math.abs((await page.evaluate(() => window.scrollY)) - scrolled)).toBeLessThan(5);

  // From a job to the next one of the list, and back to that one's row.
  await page.keyboard.press("Enter");
  await expect(page).toHaveURL(`/jobs/${id}`);
  const next = await system.get("/jobs?queue=way-back").then(({ jobs }) => {
    const ids = Array.isArray(jobs) ? jobs.map((job) => String(job.id)) : [];
    return ids[ids.indexOf(String(id)) - 1];
  });
  await page.keyboard.press("k");
  await expect(page).toHaveURL(`/jobs/${next}`);
  await page.goBack();
  await expect(page.locator(`a[data-job="${next}"]`)).toBeFocused();
});

test("a job is cancelled, run again and filtered for by key", async ({ page, system }) => {
  const id = await system.submit({ type: "email", queue: "keys", delay_seconds: 3600 });
  await page.goto("/?queue=keys");
  await expect(page.locator("tbody tr")).toHaveCount(1);
  await page.keyboard.press("f");
  await expect(page.getByRole("button", { name: "All", exact: true })).toBeFocused();
  await page.keyboard.press("j");
  await page.keyboard.press("s");
  await page.getByRole("dialog").getByRole("button", { name: "Cancel the job" }).click();
  await expect(page.locator("tbody [data-state=cancelled]")).toBeVisible();

  const other = await system.submit({ type: "email", queue: "keys", delay_seconds: 3600 });
  await page.goto(`/jobs/${other}`);
  await expect(page.getByText(/^Starts in/)).toBeVisible();
  await page.keyboard.press("a");
  await expect(page.getByRole("dialog", { name: "Run email again" })).toBeVisible();
  await page.keyboard.press("Escape");
  await expect(page.getByRole("dialog")).toBeHidden();
  await page.keyboard.press("s");
  await expect(page.locator("h1 ~ [data-state=cancelled]")).toBeVisible();
  expect((await system.get(`/jobs/${id}`)).state).toBe("cancelled");
});

test("groups of dead letters are walked by key before one is open", async ({ page, system }) => {
  for (const type of ["email", "report"]) {
    const payload = { fail_rate: 1, duration_ms: 0 };
    await system.until(await system.submit({ type, payload, max_attempts: 1, queue: "key-graves" }), "dead");
  }
  await page.goto("/dead?queue=key-graves");
  const groups = page.locator("button[aria-controls]").filter({ hasText: "newest" });
  await expect(groups).toHaveCount(2);
  await page.keyboard.press("j");
  await expect(groups.first()).toBeFocused();
  await page.keyboard.press("j");
  await expect(groups.nth(1)).toBeFocused();
  await page.keyboard.press("r");
  await expect(page.getByRole("dialog", { name: "Retry 1 job?" })).toBeVisible();
  await page.keyboard.press("Escape");
  await expect(page.getByRole("dialog")).toBeHidden();
  await expect(groups.nth(1)).toBeFocused();
  await page.keyboard.press("Enter");
  await expect(page.locator("a[data-job]")).toBeVisible();
  await page.keyboard.press("j");
  await expect(page.locator("a[data-job]")).toBeFocused();
  const id = await page.locator("a[data-job]").getAttribute("data-job");
  await page.keyboard.press("Enter");
  await expect(page).toHaveURL(`/jobs/${id}`);
});
