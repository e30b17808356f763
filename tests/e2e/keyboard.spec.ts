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
    for (const key of keys) await page.keyboard.press(key);
    await expect(page.getByRole("heading", { level: 1 })).toHaveText(title);
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
