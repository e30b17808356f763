import path from "node:path";
import type { Page } from "@playwright/test";
import { expect, test } from "./fixtures";

const FOLDER = path.resolve(import.meta.dirname, "../../docs/screenshots");

async function shoot(page: Page, name: string) {
  await page.evaluate(() => document.fonts.ready);
  await page.screenshot({ path: path.join(FOLDER, `${name}.png`), animations: "disabled" });
}

test("screenshots for the README", async ({ page, system, browser }) => {
  // A little of everything, as on an ordinary day.
  const failing = { fail_rate: 1, duration_ms: 100 };
  for (let i = 0; i < 4; i++) {
    await system.submit({ type: "email", payload: failing, max_attempts: 1 });
    await system.submit({ type: "report", payload: failing, max_attempts: 1, queue: "reports" });
  }
  const dead = await system.submit({
    type: "email",
    payload: { ...failing, to: "ada@example.com" },
    max_attempts: 3,
  });
  for (let i = 0; i < 14; i++)
    await system.submit({ type: "email", payload: { to: "ada@example.com", fail_rate: 0 } });
  await system.until(dead, "dead");
  const retrying = await system.submit({ type: "email", payload: failing, max_attempts: 8 });
  await system.submit({ type: "report", delay_seconds: 5400, queue: "nightly" });
  const report = { title: "Yearly sales", format: "pdf", rows: 250000, duration_ms: 45000, fail_rate: 0 };
  const running = await system.submit({ type: "report", payload: report, queue: "reports" });
  await system.submit({ type: "image", payload: { duration_ms: 40000, fail_rate: 0 }, queue: "images" });
  await system.until(retrying, "retrying");
  await system.until(running, "running");
  await expect
    .poll(async () => JSON.stringify((await system.get(`/jobs/${running}`)).progress), {
      timeout: 60_000,
    })
    .toMatch(/part [2-9]/);

  await page.emulateMedia({ colorScheme: "light" });
  await page.goto("/");
  await expect(page.locator("tbody tr").nth(10)).toBeVisible();
  await shoot(page, "overview-light");
  await page.emulateMedia({ colorScheme: "dark" });
  await shoot(page, "overview-dark");

  await page.goto(`/jobs/${dead}`);
  await expect(page.locator("li[data-outcome=failed]")).toHaveCount(3);
  await shoot(page, "job-dark");
  await page.emulateMedia({ colorScheme: "light" });
  await page.goto(`/jobs/${running}`);
  await expect(page.getByRole("progressbar", { name: "Progress" })).toBeVisible();
  await shoot(page, "job-light");

  await page.goto("/create?type=report");
  await expect(page.getByLabel("Payload (JSON)")).toBeVisible();
  await shoot(page, "create-light");
  await page.goto("/dead");
  await expect(page.locator("button[aria-expanded]").first()).toBeVisible();
  await shoot(page, "dead-light");

  const phone = await browser.newPage({ viewport: { width: 390, height: 844 }, deviceScaleFactor: 1.5 });
  await phone.goto(`${system.url}/`);
  await expect(phone.locator("tbody tr").first()).toBeVisible();
  await shoot(phone, "overview-phone");
  await phone.close();
});
