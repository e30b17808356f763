import { readFile } from "node:fs/promises";
import { expect, test } from "./fixtures";

test("dead letters are exported, and retried with a word on how many", async ({ page, system }) => {
  const dying =
    '{"type":"image","queue":"graves","max_attempts":1,"payload":{"fail_rate":1,"duration_ms":0,"n":12345678901234567890}}';
  const ids: string[] = [];
  for (let i = 0; i < 3; i++) ids.push(String((await system.post("/jobs", dying)).id));
  for (const id of ids) await system.until(id, "dead");

  await page.goto("/dead?queue=graves");
  await expect(page.getByText(/^3 jobs in \d groups?$/)).toBeVisible();

  const download = page.waitForEvent("download");
  await page.getByRole("button", { name: "Export" }).click();
  const file = await (await download).path();
  const lines = (await readFile(file, "utf8")).trim().split("\n");
  expect(lines).toHaveLength(3);
  expect(lines.map((line) => JSON.parse(line).id).sort()).toEqual([...ids].sort());
  for (const line of lines) expect(line).toContain('"n":12345678901234567890');

  await page.getByRole("button", { name: "Retry all…" }).click();
  const dialog = page.getByRole("dialog");
  await expect(dialog).toContainText("Retry 3 jobs?");
  await dialog.getByLabel("Start").selectOption("Spread over an hour");
  await dialog.getByRole("button", { name: "Retry 3 jobs" }).click();
  await expect(page.getByText("3 jobs retried")).toBeVisible();
  await expect(page.getByText("No dead job fits this filter.")).toBeVisible();
});

test("a selection is retried, and holds the page still meanwhile", async ({ page, system }) => {
  const submission = {
    type: "email",
    payload: { fail_rate: 1, duration_ms: 0 },
    max_attempts: 1,
    queue: "chosen",
  };
  const ids = [await system.submit(submission), await system.submit(submission)];
  for (const id of ids) await system.until(id, "dead");
  await page.goto("/?queue=chosen&state=dead");
  await page.getByLabel(`Select email …${ids[0]?.slice(-8)}`).check();
  await expect(page.getByRole("button", { name: /^Held/ })).toBeVisible();

  let asked = 0;
  page.on("request", (request) => {
    if (request.url().includes("/api/jobs?")) asked++;
  });
  await page.waitForTimeout(5000); // what is looked for is that nothing happens
  expect(asked).toBe(0);

  await page
    .getByRole("region", { name: "Selected jobs" })
    .getByRole("button", { name: /^Retry/ })
    .click();
  await page.getByRole("dialog").getByRole("button", { name: "Retry 1 job" }).click();
  await expect(page.getByText("1 job retried")).toBeVisible();
  await expect(page.getByRole("button", { name: /^Live/ })).toBeVisible();
});
