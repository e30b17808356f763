import { expect, test } from "./fixtures";

test("polling costs little while nothing changes", async ({ page, system }) => {
  for (let i = 0; i < 5; i++) await system.submit({ type: "email", queue: "polled", delay_seconds: 3600 });
  const network = await page.context().newCDPSession(page);
  await network.send("Network.enable");
  const lists = new Set<string>();
  const seen: { status: number; encoding?: string }[] = [];
  network.on("Network.requestWillBeSent", ({ requestId, request }) => {
    if (request.url.includes("/api/jobs?")) lists.add(requestId);
  });
  network.on("Network.responseReceivedExtraInfo", ({ requestId, statusCode, headers }) => {
    if (!lists.has(requestId)) return;
    const encoding = Object.entries(headers).find(([name]) => name.toLowerCase() === "content-encoding");
    seen.push({ status: statusCode, encoding: encoding?.[1] });
  });
  await page.goto("/?queue=polled");
  await expect(page.locator("tbody tr")).toHaveCount(5);
  await expect.poll(() => seen.filter(({ status }) => status === 304).length).toBeGreaterThan(1);
  const first = seen.find(({ status }) => status === 200);
  expect(first?.encoding).toBe("gzip");
  // A change is seen all the same.
  await system.submit({ type: "email", queue: "polled", delay_seconds: 3600 });
  await page.getByRole("button", { name: "1 new, show" }).click();
  await expect(page.locator("tbody tr")).toHaveCount(6);
});
