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
  await expect(page.getByRole("tree", { name: "Payload as JSON" })).toContainText("</script><b>key");
  await expect(page.getByLabel("Stack", { exact: true })).toContainText(`at ${EVIL}`);
});

test("what turns text around or cannot be seen is shown as an escape, everywhere", async ({
  page,
  context,
  system,
}) => {
  await context.grantPermissions(["clipboard-read", "clipboard-write"]);
  const trick = "a\u202eb\u200bc\u2028d\u{e0041}e\ue000f\u001bg";
  const id = await system.submit({
    type: "email",
    queue: "unseen-marks",
    payload: { [`k${trick}`]: `v${trick}`, fail_rate: 1, duration_ms: 0 },
    max_attempts: 1,
    metadata: { [`m${trick}`]: `w${trick}` },
  });
  await system.until(id, "dead");
  await page.route("**/api/**", async (route) => {
    if (route.request().method() !== "GET") return route.continue();
    const response = await route.fetch();
    const text = await response.text();
    const put = (name: string, value: string) => `"${name}":${JSON.stringify(value)}`;
    await route.fulfill({
      response,
      body: text
        .replaceAll(/"(error_message|error)":"[^"]*"/g, (_, name) => put(name, `${trick}\n\tat ${trick}`))
        .replaceAll(/"(hostname|version|description)":"[^"]*"/g, (_, name) => put(name, trick)),
    });
  });
  const unseen = /[^\P{C}\n\t]|[\u2028\u2029]/u; // all of Unicode's "other", and the separators
  for (const [path, ready] of [
    [`/jobs/${id}`, "li[data-outcome=failed]"],
    ["/?queue=unseen-marks", "tbody tr"],
    [`/?metadata=${encodeURIComponent(`m${trick}:w${trick}`)}`, "tbody tr"],
    ["/dead?queue=unseen-marks", "button[aria-expanded]"],
    ["/workers", "article"],
    ["/create?type=email", "textarea"],
  ] as const) {
    await page.goto(path);
    await expect(page.locator(ready).first()).toBeVisible();
    const texts = await page.evaluate(() => [
      document.title,
      document.body.innerText,
      ...[...document.querySelectorAll("[title], [aria-label]")].flatMap((element) => [
        element.getAttribute("title") ?? "",
        element.getAttribute("aria-label") ?? "",
      ]),
    ]);
    expect(
      texts.flatMap((text) => text.split("\n")).filter((line) => unseen.test(line)),
      path,
    ).toEqual([]);
  }
  await page.goto(`/jobs/${id}`);
  await expect(page.getByRole("tree", { name: "Payload as JSON" })).toContainText(
    "va\\u202eb\\u200bc\\u2028d",
  );
  await page.getByRole("button", { name: "Copy payload" }).click();
  expect(await page.evaluate(() => navigator.clipboard.readText())).toContain("va\u202eb\u200bc");
});
