import { expect, test } from "./fixtures";

const EVIL = `<img src=x onerror="window.hacked=1"><script>window.hacked=1</script>`;

test("HTML in a payload and in an error stays text", async ({ page, system }) => {
  const id = await system.submit({
    type: "email",
    queue: "evil",
    payload: { subject: EVIL, "</script><b>key": "javascript:alert(1)", fail_rate: 1, duration_ms: 0 },
    max_attempts: 1,
  });
  await system.until(id, "dead");
  // No built-in type fails with a text of the sender's choice: it is put into the API's own answer.
  await page.route("**/api/**", async (route) => {
    const response = await route.fetch();
    const text = await response.text();
    const error = JSON.stringify(`${EVIL}\n\tat ${EVIL}`);
    await route.fulfill({
      response,
      body: text.replaceAll(/"(error_message|error)":"[^"]*"/g, (_, name) => `"${name}":${error}`),
    });
  });
  for (const path of [`/jobs/${id}`, "/?queue=evil", "/dead?queue=evil"]) {
    await page.goto(path);
    await expect(page.getByRole("main").getByText("<img src=x onerror=").first()).toBeVisible();
    expect(await page.locator("main img, main b").count()).toBe(0);
    expect(await page.evaluate(() => "hacked" in window)).toBe(false);
  }
  await page.goto(`/jobs/${id}`);
  await expect(page.getByLabel("Payload as JSON")).toContainText("</script><b>key");
  await expect(page.getByLabel("Stack", { exact: true })).toContainText(`at ${EVIL}`);
});
