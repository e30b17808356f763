import { expect, type Page, test } from "./fixtures";

test("the page says that the API is down, and comes back by itself", async ({ page, system, allow }) => {
  allow(/Failed to load resource|ERR_CONNECTION_REFUSED|50\d/);
  const id = await system.submit({ type: "email", queue: "survivor", delay_seconds: 3600 });
  await page.goto("/?queue=survivor");
  await expect(page.locator("tbody tr")).toHaveCount(1);

  await system.stopBackend();
  await expect(page.getByText("The API does not answer")).toBeVisible();
  await expect(page.locator("tbody tr")).toHaveCount(1); // what was known stays
  await expect(page.getByRole("button", { name: /^API down/ })).toBeVisible();

  await system.startBackend();
  await expect(page.getByText("The API does not answer")).toBeHidden();
  await expect(page.getByRole("button", { name: /^Live/ })).toBeVisible();
  await page.goto(`/jobs/${id}`);
  await expect(page.getByText(id, { exact: true })).toBeVisible();
});

test("a view that knows nothing yet says so in its place", async ({ page, system, allow }) => {
  allow(/Failed to load resource/);
  await system.submit({ type: "email", queue: "unseen", delay_seconds: 3600 });
  await page.route("**/api/**", (route) => route.abort());
  for (const path of ["/", "/create", "/dead", "/workers", "/queues"]) {
    await page.goto(path);
    await expect(page.getByRole("main").getByRole("alert"), path).toContainText("The API does not answer.");
  }
  await page.unroute("**/api/**");
  await expect(page.getByRole("rowheader", { name: "unseen" })).toBeVisible();
  await expect(page.getByRole("main").getByRole("alert")).toBeHidden();
});

/** Answers as if nothing needed attention: other tests leave dead jobs. */
async function allIsWell(page: Page) {
  await page.route("**/api/metrics", async (route) => {
    const response = await route.fetch().catch(() => undefined);
    if (!response) return route.abort();
    await route.fulfill({ response, json: { ...(await response.json()), dead: 0, queue_length: 0 } });
  });
  await page.route("**/api/queues*", async (route) => {
    const response = await route.fetch().catch(() => undefined);
    if (!response) return route.abort();
    await route.fulfill({ response, json: { ...(await response.json()), queues: [] } });
  });
}

test("what is old looks old, and says of when it is", async ({ page, system, allow }) => {
  test.setTimeout(120_000);
  allow(/Failed to load resource|ERR_CONNECTION_REFUSED|50\d/);
  const id = await system.submit({ type: "email", queue: "aged", delay_seconds: 3600 });
  await allIsWell(page);
  await page.goto("/?queue=aged");
  await expect(page.locator("tbody tr")).toHaveCount(1);
  const calm = page.getByText("Nothing needs attention.");
  await expect(calm).toBeVisible();
  await expect(page.locator("[data-stale]")).toHaveCount(0);

  await system.stopBackend();
  await expect(calm).toBeHidden();
  const numbers = page.getByRole("region", { name: "Numbers" });
  await expect(numbers.getByText(/^as of \d\d:\d\d:\d\d$/)).toHaveCount(4);
  await expect(page.getByText(/^Nothing needed attention as of \d\d:\d\d:\d\d\./)).toBeVisible();
  await expect(page.getByText(/^All 1 are shown, as of \d\d:\d\d:\d\d\.$/)).toBeVisible();
  const left = await page.locator("tbody tr").innerText(); // a countdown would go on as if it were known
  await page.waitForTimeout(2500);
  expect(await page.locator("tbody tr").innerText()).toBe(left);

  await system.startBackend();
  await expect(calm).toBeVisible();
  await expect(page.locator("[data-stale]")).toHaveCount(0);

  await page.goto(`/jobs/${id}`);
  await expect(page.getByText(/^Starts in/)).toBeVisible();
  await system.stopBackend();
  await expect(page.getByText(/^Not refreshed, as of \d\d:\d\d:\d\d: Starts in/)).toBeVisible();
  await system.startBackend();
  await expect(page.getByText(/^Starts in/)).toBeVisible();
});

test("one part that fails is enough for that part to look old", async ({ page, allow }) => {
  test.setTimeout(120_000);
  allow(/Failed to load resource/);
  await allIsWell(page);
  await page.goto("/");
  const calm = page.getByText("Nothing needs attention.");
  await expect(calm).toBeVisible();
  await page.route("**/api/workers", (route) => route.abort());
  await expect(calm).toBeHidden();
  await expect(page.getByText(/^Nothing needed attention as of/)).toBeVisible();
  await expect(page.getByRole("button", { name: /^Partly old/ })).toBeVisible();
  await expect(page.getByRole("region", { name: "Numbers" }).getByText(/^as of/)).toHaveCount(0);
  await page.unroute("**/api/workers");
  await expect(calm).toBeVisible();
  await expect(page.getByRole("button", { name: /^Live/ })).toBeVisible();
});
