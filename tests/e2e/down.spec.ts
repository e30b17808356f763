import { expect, test } from "./fixtures";

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
