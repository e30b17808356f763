import { expect, test, violations } from "./fixtures";

const LATER = { type: "email", delay_seconds: 3600, queue: "payloads" };

test("a payload is folded, searched and pointed into by keyboard", async ({ page, context, system }) => {
  await context.grantPermissions(["clipboard-read", "clipboard-write"]);
  const items = Array.from({ length: 40 }, (_, n) => ({ sku: `sku-${n}`, price: 10 + n }));
  const id = await system.submit({
    ...LATER,
    payload: { to: "ada@example.com", order: { items, "a b": 1 } },
  });
  await page.goto(`/jobs/${id}`);
  const tree = page.getByRole("tree", { name: "Payload as JSON" });
  await expect(tree.getByRole("treeitem", { name: /"sku-39"/ })).toBeAttached();

  await page.getByLabel("Find in Payload as JSON").fill("SKU-31");
  await page.keyboard.press("Enter");
  await expect(page.getByText("1 of 1", { exact: true })).toBeVisible();
  await expect(tree.locator("mark")).toHaveText("sku-31");
  await expect(tree.locator("mark")).toBeInViewport();
  await page.getByRole("button", { name: "Copy path" }).click();
  expect(await page.evaluate(() => navigator.clipboard.readText())).toBe(".order.items[31].sku");
  await page.getByRole("button", { name: "Copy value" }).click();
  expect(await page.evaluate(() => navigator.clipboard.readText())).toBe('"sku-31"');

  await tree.focus();
  await page.keyboard.press("ArrowLeft"); // to the object that the line is in
  await page.keyboard.press("ArrowLeft");
  const folded = tree.getByRole("treeitem", { name: /2 members/ });
  await expect(folded).toHaveAttribute("aria-expanded", "false");
  await expect(tree.locator("mark")).toHaveCount(0);
  expect(await violations(page)).toEqual([]);
  await page.keyboard.press("ArrowRight");
  await expect(tree.locator("mark")).toHaveCount(1);
});

test("a text of 200 KB makes no endless line, and thousands of values no endless page", async ({
  page,
  system,
}) => {
  const long = await system.submit({ ...LATER, payload: { text: `${"words and ".repeat(20_000)}the end` } });
  await page.goto(`/jobs/${long}`);
  const tree = page.getByRole("tree", { name: "Payload as JSON" });
  await expect(tree).toContainText("words and");
  const wide = () => tree.evaluate((element) => element.scrollWidth - element.clientWidth);
  expect(await wide()).toBeLessThanOrEqual(0);
  await tree.getByRole("button", { name: /^Show 19\d,\d{3} characters more$/ }).click();
  await expect(tree).toContainText("the end");
  expect(await wide()).toBeLessThanOrEqual(0);

  const values = Array.from({ length: 9000 }, (_, n) => n);
  const many = await system.submit({ ...LATER, payload: { values, last: "found" } });
  await page.goto(`/jobs/${many}`);
  await expect(tree.getByRole("treeitem").first()).toBeVisible();
  await tree.focus();
  await page.keyboard.press("End");
  await page.getByLabel("Find in Payload as JSON").fill("found");
  await page.keyboard.press("Enter");
  await expect(tree.locator("mark")).toBeInViewport();
  expect(await tree.locator("*").count()).toBeLessThan(1500);
});

test("names stay in the order of the server", async ({ page, system }) => {
  const id = await system.submit({ ...LATER, payload: { b: 1, "10": 2, "9": 3 } });
  const told = await fetch(`${system.api}/jobs/${id}`).then((response) => response.text());
  const names = [...(told.match(/"payload":\{[^}]*\}/)?.[0] ?? "").matchAll(/"(\d+|b)":/g)].map((m) => m[1]);
  await page.goto(`/jobs/${id}`);
  const items = page.getByRole("tree", { name: "Payload as JSON" }).locator("[aria-level='2']");
  await expect(items).toHaveCount(3);
  expect((await items.allTextContents()).map((text) => text.match(/"(\w+)"/)?.[1])).toEqual(names);
});
