import { expect, test } from "./fixtures";

// How much a browser has to fetch and run before and while somebody looks at the first page.

const SCRIPT_BUDGET = 200 * 1024;

test("the overview fetches less than 200 KB of scripts in its first five seconds", async ({
  system,
  page,
}) => {
  const dead = await system.submit({
    type: "email",
    payload: { fail_rate: 1, duration_ms: 0 },
    max_attempts: 1,
  });
  await system.until(dead, "dead");
  await system.submit({ type: "email", delay_seconds: 3600 });

  const network = await page.context().newCDPSession(page);
  await network.send("Network.enable");
  const scripts = new Map<string, string>();
  const fetched: { url: string; bytes: number }[] = [];
  network.on("Network.responseReceived", ({ requestId, response }) => {
    if (response.mimeType.includes("javascript")) scripts.set(requestId, response.url);
  });
  network.on("Network.loadingFinished", ({ requestId, encodedDataLength }) => {
    const url = scripts.get(requestId);
    if (url) fetched.push({ url: url.slice(system.url.length), bytes: encodedDataLength });
  });
  await page.goto("/", { waitUntil: "load" });
  await expect(page.locator("tbody tr").first()).toBeVisible();
  await page.waitForTimeout(5_000); // this is what is measured, not a wait for something

  expect(fetched.length).toBeGreaterThan(3);
  const total = fetched.reduce((sum, { bytes }) => sum + bytes, 0);
  const largest = fetched.toSorted((a, b) => b.bytes - a.bytes).map(({ url, bytes }) => `${bytes} ${url}`);
  expect(total, largest.join("\n")).toBeLessThan(SCRIPT_BUDGET);
});

test("the toast of the first act is shown, although its code is fetched only then", async ({
  system,
  page,
}) => {
  const dead = await system.submit({
    type: "email",
    payload: { fail_rate: 1, duration_ms: 0 },
    max_attempts: 1,
  });
  await system.until(dead, "dead");
  await page.goto(`/jobs/${dead}`);
  await page.getByRole("button", { name: /^Retry/ }).click();
  await expect(page.getByText(/Job …\w+ is retried/)).toBeVisible();
});
