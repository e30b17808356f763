import { expect, test, violations } from "./fixtures";

test("a job's address opens it, again and from elsewhere", async ({ page, system }) => {
  const id = await system.submit({ type: "email", payload: { duration_ms: 0 }, queue: "linked" });
  await page.goto(`/jobs/${id}`);
  await expect(page.getByText(id, { exact: true })).toBeVisible();
  await page.reload();
  await expect(page.getByText(id, { exact: true })).toBeVisible();
  await page.getByRole("link", { name: "linked" }).click();
  await expect(page).toHaveURL("/?queue=linked");
  await page.locator(`a[data-job="${id}"]`).click();
  await expect(page.getByRole("heading", { level: 1 })).toHaveText("email");
  await page.goBack();
  await expect(page.getByLabel("Queue")).toHaveValue("linked");
});

test("filters live in the address", async ({ page, system }) => {
  await system.submit({ type: "email", queue: "kept", delay_seconds: 3600 });
  await page.goto("/?state=scheduled&queue=kept&type=nonsense%20");
  await expect(page.getByRole("button", { name: /^Scheduled/ })).toHaveAttribute("aria-pressed", "true");
  await expect(page.locator("tbody tr")).toHaveCount(1);
  await page.getByRole("button", { name: /^Completed/ }).click();
  await expect(page).toHaveURL("/?state=completed&queue=kept");
  await expect(page.getByText("No job fits this filter.")).toBeVisible();
  await page.goBack();
  await expect(page.locator("tbody tr")).toHaveCount(1);
  await page.getByLabel("Queue").selectOption("All queues");
  await expect(page).toHaveURL("/?state=scheduled");
});

test("metadata are typed, shown, and lead to the jobs that have them", async ({ page, system }) => {
  await system.submit({ type: "email", delay_seconds: 3600, metadata: { customer: "Grace" } });
  await page.goto("/create?type=email");
  await page.getByLabel("Delay in seconds").fill("3600");
  for (const [index, [name, value]] of [
    ["customer", "Ada & sons"],
    ["a:b", "c=d"],
  ].entries()) {
    await page.getByRole("button", { name: "Add pair" }).click();
    await page.getByLabel(`Name ${index + 1}`).fill(String(name));
    await page.getByLabel(`Value ${index + 1}`).fill(String(value));
  }
  expect(await violations(page)).toEqual([]);
  await page.getByRole("button", { name: "Create job" }).click();
  await expect(page).toHaveURL(/\/jobs\//);
  const metadata = page.getByRole("region", { name: "Metadata" });
  await expect(metadata.getByRole("link")).toHaveCount(2);
  expect(await violations(page)).toEqual([]);

  // The job that is run again has the same ones.
  await page.getByRole("button", { name: "Run again" }).click();
  const first = page.url();
  await page.getByRole("dialog").getByRole("button", { name: "Create job" }).click();
  await expect(page).not.toHaveURL(first);
  await metadata.getByRole("link", { name: "c=d" }).click();
  await expect(page).toHaveURL("/?metadata=a%5C%3Ab%3Ac%3Dd");
  const ones = page.locator("tbody tr");
  await expect(ones).toHaveCount(2);
  expect(await violations(page)).toEqual([]);
  await page.reload();
  await expect(ones).toHaveCount(2);
  await page.goto("/?metadata=customer:Grace&metadata=a%5C:b:c=d");
  await expect(page.getByText("No job fits this filter.")).toBeVisible();
  await page.getByRole("button", { name: "Remove a:b: c=d" }).click();
  await expect(page).toHaveURL("/?metadata=customer%3AGrace");
  await expect(ones).toHaveCount(1);
  await page.goto("/dead?metadata=customer:Grace");
  await expect(page.getByText("No dead job fits this filter.")).toBeVisible();
  await page.getByRole("button", { name: "Remove customer: Grace" }).click();
  await expect(page).toHaveURL("/dead");
});

test("an id that nobody has is not found at once, and asked for once", async ({ page, allow }) => {
  allow(/404/);
  let asked = 0;
  page.on("request", (request) => {
    if (request.url().includes("/api/jobs/")) asked++;
  });
  await page.goto("/jobs/01900000-0000-7000-8000-00000000dead");
  await expect(page.getByText("This job is not found")).toBeVisible({ timeout: 5000 });
  await page.waitForTimeout(3000); // longer than a refresh: it must not come
  expect(asked).toBe(1);
});

test("an address that is none says so", async ({ page, allow }) => {
  allow(/404/);
  for (const path of ["/jobs/not-an-id", "/nowhere"]) {
    const response = await page.goto(path);
    expect(response?.status()).toBe(404);
    await expect(page.getByText("There is no such page")).toBeVisible();
  }
});
