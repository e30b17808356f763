import { expect, test } from "./fixtures";

test("a job is created and watched until it is done", async ({ page }) => {
  await page.goto("/create");
  await page.getByRole("button", { name: "Slow, with progress" }).click();
  const editor = page.getByLabel("Payload (JSON)");
  await expect(editor).toHaveValue(/"duration_ms": 30000/);
  await editor.fill(
    '{"rows": 100, "duration_ms": 4000, "fail_rate": 0, "exact": 12345678901234567890, "one": 1.00}',
  );
  await page.getByRole("button", { name: "Create job" }).click();

  await expect(page).toHaveURL(/\/jobs\/[0-9a-f-]{36}$/);
  await expect(page.getByRole("heading", { level: 1 })).toHaveText("report");
  await expect(page.getByText(/^Job …\w{8} is created$/)).toBeVisible();
  await expect(page.locator("h1 ~ [data-state=running]")).toBeVisible();
  await expect(page.getByRole("progressbar", { name: "Progress" })).toHaveAttribute("aria-valuenow", /[1-9]/);
  await expect(page.locator("h1 ~ [data-state=completed]")).toBeVisible();
  await expect(page.getByLabel("Payload as JSON")).toContainText('"exact": 12345678901234567890');
  await expect(page.getByLabel("Payload as JSON")).toContainText('"one": 1.00');
  await expect(page.getByLabel("Result as JSON")).toContainText('"rows": 100');
});

test("a double click makes one job", async ({ page, system }) => {
  await page.goto("/create?type=email");
  await page.getByLabel("Queue").fill("double");
  await page.getByRole("button", { name: "Create job" }).dblclick();
  await expect(page).toHaveURL(/\/jobs\//);
  const { jobs } = await system.get("/jobs?queue=double");
  expect(jobs).toHaveLength(1);
});

test("the server's objections stand beside what they are about", async ({ page, allow }) => {
  allow(/422/);
  await page.goto("/create?type=report");
  const editor = page.getByLabel("Payload (JSON)");
  await editor.fill('{\n  "title": "x",\n  "rows": "many"\n}');
  await page.getByRole("button", { name: "Create job" }).click();
  await expect(page.getByText(/^Line 3: rows /)).toBeVisible();
  await expect(page).toHaveURL(/\/create/);

  await editor.fill("{\n  oops\n}");
  await expect(page.getByText("Line 2, column 3: A name in double quotes is expected")).toBeVisible();
  await expect(page.getByRole("button", { name: "Create job" })).toHaveAttribute("aria-disabled", "true");
});

test("the retry schedule is foretold", async ({ page }) => {
  await page.goto("/create");
  await page.getByLabel("Max attempts").fill("4");
  await expect(page.getByText("Retries after 2 s, 4 s, 8 s; gives up after about 14 s.")).toBeVisible();
});

test("the form of the schema and the text are one", async ({ page }) => {
  await page.goto("/create?type=report");
  const fields = page.getByRole("group", { name: "Payload fields" });
  await fields.getByLabel("format").selectOption("csv");
  await fields.getByLabel("rows").fill("77");
  const editor = page.getByLabel("Payload (JSON)");
  await expect(editor).toHaveValue(/"format": "csv"/);
  await expect(editor).toHaveValue(/"rows": 77/);
  await editor.fill('{"rows": 78}');
  await expect(fields.getByLabel("rows")).toHaveValue("78");
});
