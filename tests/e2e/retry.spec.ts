import { expect, test } from "./fixtures";

test("a job that failed is retried by hand, and its history stays", async ({ page, system }) => {
  const id = await system.submit({
    type: "email",
    payload: { fail_rate: 1, duration_ms: 50 },
    max_attempts: 1,
    queue: "by-hand",
  });
  await system.until(id, "dead");
  await page.goto(`/jobs/${id}`);
  await expect(page.getByText(/^Failed permanently after 1 attempt: /)).toBeVisible();
  await page.getByRole("button", { name: "Retry" }).click();
  await expect(page.getByText(`Job …${id.slice(-8)} is retried`)).toBeVisible();
  await expect(page.locator("li[data-outcome=failed]")).toHaveCount(2);
  await expect(page.getByText(/^Idle until it was retried by hand/)).toBeVisible();
});

test("an error belongs to its attempt, and steps back while the job runs", async ({ page, system }) => {
  test.setTimeout(180_000);
  const patient = { timeout: 60_000 };
  const id = await system.submit({
    type: "email",
    payload: { fail_rate: 1, duration_ms: 30_000 },
    max_attempts: 2,
    queue: "errors",
  });
  await page.goto(`/jobs/${id}`);
  const panel = page.getByRole("region", { name: "Error" });
  await expect(page.getByText("Previous attempt (1):")).toBeVisible(patient);
  await expect(page.locator("h1 ~ [data-state=running]")).toBeVisible();
  await expect(panel).toBeHidden();
  await expect(panel.getByText("Attempt 2 of 2 failed")).toBeVisible(patient);
  await page.getByRole("button", { name: "Retry" }).click();
  await expect(page.getByText("Previous attempt (2), before the retry by hand:")).toBeVisible();
  await expect(page.getByText(/attempt 0/)).toHaveCount(0);
  // Only a running job asks before it is cancelled.
  await expect(page.locator("h1 ~ [data-state=running]")).toBeVisible();
  await page.getByRole("button", { name: "Cancel" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Cancel the job" }).click();
});

test("a retry counts down", async ({ page, system }) => {
  const id = await system.submit({
    type: "email",
    payload: { fail_rate: 1, duration_ms: 0 },
    max_attempts: 6,
  });
  await system.until(id, "retrying");
  await page.goto(`/jobs/${id}`);
  await expect(page.getByText(/^Waiting \d+ s for the (third|fourth|fifth) retry: /)).toBeVisible();
  await page.goto("/?state=retrying");
  await expect(page.getByText(/Retry in \d+ s/).first()).toBeVisible();
});

test("retry from the list, by mouse and by key", async ({ page, system }) => {
  const submission = {
    type: "email",
    payload: { fail_rate: 1, duration_ms: 0 },
    max_attempts: 1,
    queue: "listed",
  };
  const ids = [await system.submit(submission), await system.submit(submission)];
  for (const id of ids) await system.until(id, "dead");
  await page.goto("/?queue=listed");
  const rows = page.locator("tbody tr");
  await expect(rows).toHaveCount(2);
  await rows
    .first()
    .getByRole("button", { name: /^Retry email/ })
    .click();
  await expect(page.getByText(/^Job …\w{8} is retried$/)).toBeVisible();
  await page.keyboard.press("j");
  await page.keyboard.press("j");
  await page.keyboard.press("r");
  const attempts = async () => {
    const histories = await Promise.all(ids.map(async (id) => (await system.get(`/jobs/${id}`)).history));
    return histories.map((history) => (Array.isArray(history) ? history.length : 0));
  };
  await expect.poll(attempts).toEqual([2, 2]);
});

test("a running job is cancelled", async ({ page, system }) => {
  const id = await system.submit({ type: "report", payload: { fail_rate: 0, duration_ms: 60000 } });
  await system.until(id, "running");
  await page.goto(`/jobs/${id}`);
  await page.getByRole("button", { name: "Cancel" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Cancel the job" }).click();
  await expect(page.locator("h1 ~ [data-state=cancelled]")).toBeVisible();
  await expect(page.getByText(/^Cancelled \d+ s ago/)).toBeVisible();
});

test("run again sends the edited text as it stands", async ({ page, system }) => {
  const id = await system.submit({ type: "email", payload: { fail_rate: 0, duration_ms: 0 } });
  await system.until(id, "completed");
  await page.goto(`/jobs/${id}`);
  await page.getByRole("button", { name: "Run again…" }).click();
  const dialog = page.getByRole("dialog");
  await dialog
    .getByLabel("Payload (JSON)")
    .fill('{"duration_ms": 0, "fail_rate": 0, "n": 98765432109876543210}');
  await dialog.getByRole("button", { name: "Create job" }).click();
  await expect(page).not.toHaveURL(new RegExp(id));
  await expect(page.getByRole("tree", { name: "Payload as JSON" })).toContainText(
    '"n": 98765432109876543210',
  );
});
