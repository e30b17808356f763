import type { Page } from "@playwright/test";
import { expect, test } from "./fixtures";

// The pages at /windlass/ of a program that has its own at /. Addresses here are relative to that prefix.

let strays: string[];

test.beforeEach(({ page, system }) => {
  strays = [];
  page.on("request", (request) => {
    const url = request.url();
    if (!url.startsWith(`${system.url}/`) && !url.startsWith("blob:") && !url.startsWith("data:"))
      strays.push(url);
  });
});

test.afterEach(() => expect(strays, "requests outside of the prefix").toEqual([]));

/** Does something, and checks that the document stays: the router of the window did it, and no new page was loaded. */
async function within(page: Page, act: () => Promise<void>) {
  await page.evaluate(() => document.documentElement.setAttribute("data-kept", ""));
  await act();
  await expect(page.locator("html[data-kept]")).toBeAttached();
}

test("a job's address opens it, again and by the router", async ({ page, system }) => {
  const id = await system.submit({ type: "email", payload: { duration_ms: 0 }, queue: "linked" });
  await page.goto(`jobs/${id}`);
  await expect(page.getByText(id, { exact: true })).toBeVisible();
  await page.reload();
  await expect(page.getByText(id, { exact: true })).toBeVisible();
  await within(page, async () => {
    await page.getByRole("link", { name: "linked" }).click();
    await expect(page).toHaveURL(`${system.url}/?queue=linked`);
    await page.locator(`a[data-job="${id}"]`).click();
    await expect(page).toHaveURL(`${system.url}/jobs/${id}`);
    await expect(page.getByRole("heading", { level: 1 })).toHaveText("email");
    await page.goBack();
    await expect(page.getByLabel("Queue")).toHaveValue("linked");
    await page.getByLabel("Queue").selectOption("All queues");
    await expect(page).toHaveURL(`${system.url}/`);
  });
  await page.reload();
  await expect(page.locator(`a[data-job="${id}"]`)).toBeVisible();
});

test("every page opens by its address and by the router", async ({ page, system }) => {
  await page.goto("");
  const pages = page.getByRole("navigation", { name: "Pages" });
  const places = { "Dead letters": "dead", Queues: "queues", Workers: "workers", Overview: "" };
  for (const [label, path] of Object.entries(places)) {
    await within(page, async () => {
      await pages.getByRole("link", { name: label }).click();
      await expect(page).toHaveURL(`${system.url}/${path}`);
      await expect(page.getByRole("heading", { level: 1, name: label })).toBeVisible();
      await expect(pages.locator("[aria-current=page]")).toContainText(label);
    });
    await page.reload();
    await expect(page.getByRole("heading", { level: 1, name: label })).toBeVisible();
    await expect(pages.locator("[aria-current=page]")).toContainText(label);
  }
  await within(page, async () => {
    await page.keyboard.press("c");
    await expect(page).toHaveURL(`${system.url}/create`);
    await page.getByRole("link", { name: "Windlass", exact: true }).click();
    await expect(page).toHaveURL(`${system.url}/`);
  });
});

test("a job is created", async ({ page, system }) => {
  await page.goto("create?type=email");
  await expect(page.getByRole("region", { name: "curl line" })).toContainText(
    `curl '${system.url}/api/jobs'`,
  );
  await page.getByLabel("Payload (JSON)").fill('{"duration_ms": 0, "fail_rate": 0}');
  await within(page, async () => {
    await page.getByRole("button", { name: "Create job" }).click();
    await expect(page).toHaveURL(/\/windlass\/jobs\/[0-9a-f-]{36}$/);
  });
  await expect(page.locator("h1 ~ [data-state=completed]")).toBeVisible();
});

test("dead jobs are saved to a file", async ({ page, system }) => {
  const id = await system.submit({
    type: "email",
    payload: { fail_rate: 1, duration_ms: 0 },
    max_attempts: 1,
    queue: "lost",
  });
  await system.until(id, "dead");
  await page.goto("dead?queue=lost");
  const download = page.waitForEvent("download");
  await page.getByRole("button", { name: /export/i }).click();
  expect((await download).suggestedFilename()).toMatch(/^windlass-dead-.*\.ndjson$/);
});

test("a picture or a style is not missing", async ({ page }) => {
  const bad: string[] = [];
  page.on("response", (response) => {
    if (response.status() >= 400) bad.push(`${response.status()} ${response.url()}`);
  });
  await page.goto("");
  const icon = page.locator("img").first();
  await expect(icon).toBeVisible();
  expect(await icon.evaluate((img: HTMLImageElement) => img.naturalWidth)).toBeGreaterThan(0);
  await expect(page.getByLabel("Queue")).toHaveCSS("background-image", /\/windlass\/_next\/.*chevron.*\.svg/);
  const loaded = () =>
    document.fonts.ready.then((fonts) => [...fonts].filter(({ status }) => status === "loaded").length);
  expect(await page.evaluate(loaded)).toBeGreaterThan(0);
  expect(bad).toEqual([]);
});

test("the prefix without a slash, and an address that is none", async ({ page, system, allow }) => {
  allow(/404/);
  await page.goto("nowhere");
  await expect(page.getByText("There is no such page")).toBeVisible();
  const response = await page.request.get(system.url, { maxRedirects: 0 });
  expect(response.headers().location).toMatch(/\/windlass\/$/);
});
