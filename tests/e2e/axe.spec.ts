import { expect, test, violations } from "./fixtures";

for (const colorScheme of ["light", "dark"] as const) {
  test.describe(colorScheme, () => {
    test.use({ colorScheme });

    test("no page has a barrier", async ({ page, system, allow }) => {
      allow(/404/);
      const failing = { type: "email", payload: { fail_rate: 1, duration_ms: 0 }, queue: "axe" };
      const dead = await system.submit({ ...failing, max_attempts: 1 });
      await system.submit(failing);
      await system.submit({ type: "email", delay_seconds: 3600, queue: "axe" });
      const done = await system.submit({ type: "email", payload: { duration_ms: 0, fail_rate: 0 } });
      const running = await system.submit({ type: "report", payload: { fail_rate: 0, duration_ms: 200000 } });
      await system.until(dead, "dead");
      await system.until(done, "completed");
      await system.until(running, "running");
      for (const [path, ready] of [
        ["/", "tbody tr"],
        ["/?state=cancelling&type=none", "text=No job fits this filter."],
        ["/create", "textarea"],
        [`/jobs/${dead}`, "li[data-outcome=failed]"],
        [`/jobs/${done}`, "li[data-outcome=completed]"],
        [`/jobs/${running}`, "[role=progressbar]"],
        ["/jobs/01900000-0000-7000-8000-00000000dead", "text=This job is not found"],
        ["/dead", "button[aria-expanded]"],
        ["/queues", "tbody tr"],
        ["/workers", "text=Alive"],
        ["/nowhere", "text=There is no such page"],
      ] as const) {
        await page.goto(path);
        await expect(page.locator(ready).first()).toBeVisible();
        expect(await violations(page), path).toEqual([]);
      }
      await system.post(`/jobs/${running}/cancel`, {});
    });

    test("nor has what opens above a page", async ({ page, system }) => {
      await system.until(
        await system.submit({ type: "email", payload: { fail_rate: 1, duration_ms: 0 }, max_attempts: 1 }),
        "dead",
      );
      await page.goto("/dead");
      await expect(page.locator("button[aria-expanded]").first()).toBeVisible();
      const group = page.locator("button[aria-expanded]").first();
      if ((await group.getAttribute("aria-expanded")) === "false") await group.click();
      await page.locator("li input[type=checkbox]").first().check();
      await expect(page.getByRole("region", { name: "Selected jobs" })).toBeVisible();
      await page.waitForTimeout(300); // until it has faded in: axe measures the colours as they are
      expect(await violations(page)).toEqual([]);
      await page.getByRole("button", { name: "Retry all…" }).click();
      await expect(page.getByRole("dialog")).toBeVisible();
      await page.waitForTimeout(300);
      expect(await violations(page)).toEqual([]);
      await page.keyboard.press("Escape");
      await expect(page.getByRole("dialog")).toBeHidden();
      await page.keyboard.press("/");
      await expect(page.getByPlaceholder(/^Find a page/)).toBeFocused();
      await page.waitForTimeout(300);
      expect(await violations(page)).toEqual([]);
    });

    test("nor a phone", async ({ page }) => {
      await page.setViewportSize({ width: 390, height: 844 });
      for (const path of ["/", "/create", "/dead", "/queues", "/workers"]) {
        await page.goto(path);
        await expect(page.getByRole("main").getByRole("status", { name: /^Loading/ })).toBeHidden();
        expect(await page.evaluate(() => document.documentElement.scrollWidth), path).toBeLessThanOrEqual(
          390,
        );
        expect(await violations(page), path).toEqual([]);
      }
    });
  });
}
