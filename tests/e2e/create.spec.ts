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
  await expect(page.getByRole("tree", { name: "Payload as JSON" })).toContainText(
    '"exact": 12345678901234567890',
  );
  await expect(page.getByRole("tree", { name: "Payload as JSON" })).toContainText('"one": 1.00');
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
  const field = page.getByRole("group", { name: "Payload fields" }).getByLabel("rows");
  await expect(field).toHaveAttribute("aria-invalid", "true");
  await expect(field).toHaveAccessibleDescription("Must be a whole number.");
  await expect(page).toHaveURL(/\/create/);

  await editor.fill("{\n  oops\n}");
  await expect(page.getByText("Line 2, column 3: A name in double quotes is expected")).toBeVisible();
  await expect(page.getByRole("button", { name: "Create job" })).toHaveAttribute("aria-disabled", "true");
});

for (const [width, height] of [
  [1024, 900],
  [1440, 900],
  [390, 844],
] as const) {
  test(`what matters is in sight at ${width} by ${height}`, async ({ page }) => {
    await page.setViewportSize({ width, height });
    await page.goto("/create?type=report");
    const button = page.getByRole("button", { name: "Create job" });
    for (const name of ["Type", "Max attempts", "Queue"]) {
      const box = await page.getByLabel(name, { exact: true }).boundingBox();
      const bar = await button.boundingBox();
      expect((box?.y ?? height) + (box?.height ?? 0), name).toBeLessThan(bar?.y ?? 0);
    }
    await expect(button).toBeInViewport({ ratio: 1 });
    await page.getByLabel("Payload (JSON)").focus();
    await page.mouse.wheel(0, 400);
    await expect(button).toBeInViewport({ ratio: 1 });
    await button.click({ trial: true }); // nothing lies above it

    // As many numbers as lines, and the whole command within its frame.
    const lines = (await page.getByLabel("Payload (JSON)").inputValue()).split("\n").length;
    await expect(page.getByTestId("line-numbers").locator("div")).toHaveCount(lines);
    const curl = page.getByRole("region", { name: "curl line" });
    expect(await curl.evaluate((element) => element.scrollWidth - element.clientWidth)).toBeLessThanOrEqual(
      0,
    );
  });
}

test("the command for a shell is copied whole", async ({ page, context }) => {
  await context.grantPermissions(["clipboard-read", "clipboard-write"]);
  await page.goto("/create?type=email");
  await page.getByLabel("Payload (JSON)").fill(`{"to": "a\u202eb ${"x".repeat(500)}"}`);
  await expect(page.getByText("Line 1 has a character that cannot be seen: \\u202e")).toBeVisible();
  await expect(page.getByRole("region", { name: "curl line" })).toContainText("a\\u202eb");
  await page.getByRole("button", { name: "Copy curl line" }).click();
  const copied = await page.evaluate(() => navigator.clipboard.readText());
  expect(copied).toContain(`"to": "a\u202eb ${"x".repeat(500)}"`);
  expect(copied).toMatch(/^curl '.*\/jobs'/);
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
