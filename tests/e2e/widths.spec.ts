import type { Page } from "@playwright/test";
import { expect, test } from "./fixtures";

const WIDTHS = [390, 640, 768, 1024, 1200, 1280, 1440];

const QUEUE = `a-queue-with-quite-a-long-name-of-${"x".repeat(63 - 34)}`;
const ERROR = "dial tcp 203.0.113.7:5432: connect: connection refused after 3 attempts, giving up for now";
const HOST = "worker-deployment-7f9c8d5b64-xk2lp.production.internal";

/**
 * Texts of the page that cannot be read whole: without width, cut off, or under something else. A text may be cut where
 * it can be scrolled to by keyboard, and where a button beside it shows the rest.
 */
function unreadable(): string[] {
  const bad: string[] = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const element = node.parentElement;
    const text = node.textContent?.trim() ?? "";
    if (!element || !text || element.closest("script, style, option, textarea, [hidden], [role=tooltip]"))
      continue;
    if (!element.checkVisibility({ visibilityProperty: true, opacityProperty: true })) continue;
    if (element.closest(".sr-only, [data-sonner-toaster], a[href='#main']")) continue;
    const range = document.createRange();
    range.selectNodeContents(node);
    const fault = faultOf(element, range);
    if (fault)
      bad.push(`${fault}: “${text.slice(0, 60)}” in <${element.tagName.toLowerCase()} ${element.className}>`);
  }
  return [...new Set(bad)];

  function faultOf(element: Element, range: Range): string | undefined {
    const box = range.getBoundingClientRect();
    if (box.width < 1 || box.height < 1) return "without size";
    for (
      let around: Element | null = element;
      around && around !== document.body;
      around = around.parentElement
    ) {
      const style = getComputedStyle(around);
      if (style.overflowX === "visible" && style.overflowY === "visible") continue;
      const frame = around.getBoundingClientRect();
      const across = box.left < frame.left - 1 || box.right > frame.right + 1;
      const down = box.top < frame.top - 1 || box.bottom > frame.bottom + 1;
      if (!across && !down) continue;
      const scrolls = (by: string) => by === "auto" || by === "scroll";
      const reached = around.matches("[tabindex]") || around.querySelector("a, button, input, select");
      if ((!across || scrolls(style.overflowX)) && (!down || scrolls(style.overflowY)) && reached)
        return undefined;
      const unfolds = around.closest("button[aria-expanded=false], summary");
      const rest = unfolds ?? around.parentElement?.querySelector("button[aria-expanded=false]");
      if (rest && rest.getBoundingClientRect().width > 0) return undefined;
      return "cut off";
    }
    if (box.left < -1 || box.right > window.innerWidth + 1) return "beyond the window";
    element.scrollIntoView({ block: "center" });
    const line = [...range.getClientRects()].find(({ width }) => width >= 1);
    if (!line) return undefined;
    const top = document.elementFromPoint(line.left + line.width / 2, line.top + line.height / 2);
    const row = element.closest("tr, li, .relative");
    const seen = !top || element.contains(top) || top.contains(element) || row?.contains(top);
    return seen ? undefined : `under <${top?.tagName.toLowerCase()} ${top?.className}>`;
  }
}

/** Long texts in the place of those that the built-in types and this machine give. */
async function lengthen(page: Page) {
  await page.route("**/api/**", async (route) => {
    if (route.request().method() !== "GET") return route.continue();
    const response = await route.fetch();
    const text = await response.text();
    await route.fulfill({
      response,
      body: text
        .replaceAll(
          /"(error_message|error)":"[^"]*"/g,
          (_, name) => `"${name}":${JSON.stringify(`${ERROR}\n\tat main`)}`,
        )
        .replaceAll(/"hostname":"[^"]*"/g, `"hostname":"${HOST}"`)
        .replaceAll(
          /"message":"[^"]*"/g,
          '"message":"part 17 of 45: rendering the yearly sales of all regions"',
        ),
    });
  });
}

test("every text can be read at every width", async ({ page, system }) => {
  test.setTimeout(300_000);
  const common = { queue: QUEUE, metadata: { [`tenant-${"n".repeat(40)}`]: "v".repeat(200) } };
  const failing = { ...common, type: "email", payload: { fail_rate: 1, duration_ms: 0 } };
  const dead = await system.submit({ ...failing, max_attempts: 1 });
  await system.submit({ ...failing, max_attempts: 1 });
  await system.submit({ ...failing, max_attempts: 20 });
  await system.submit({ ...common, type: "image", delay_seconds: 3600 });
  const report = { title: "Yearly sales", rows: 100_000, fail_rate: 0, duration_ms: 280_000 };
  const running = await system.submit({ ...common, type: "report", payload: report });
  await system.until(dead, "dead");
  await expect
    .poll(async () => JSON.stringify((await system.get(`/jobs/${running}`)).progress), { timeout: 60_000 })
    .toMatch(/message/);
  await lengthen(page);
  const worker = String((await system.get(`/jobs/${running}`)).worker_id);

  const faults: string[] = [];
  for (const [path, ready] of [
    [`/?queue=${QUEUE}`, "tbody tr"],
    ["/create?type=report", "textarea"],
    [`/jobs/${dead}`, "li[data-outcome=failed]"],
    [`/jobs/${running}`, "[role=progressbar]"],
    ["/dead", "button[aria-expanded]"],
    ["/queues", "tbody tr"],
    ["/workers", "article"],
    [`/workers?id=${worker}`, "article"],
  ] as const) {
    await page.goto(path);
    for (const width of WIDTHS) {
      await page.setViewportSize({ width, height: 900 });
      await expect(page.locator(ready).first()).toBeVisible();
      const wide = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
      if (wide > 0) faults.push(`${path} at ${width}: the page is ${wide} px too wide`);
      for (const fault of await page.evaluate(unreadable)) faults.push(`${path} at ${width}: ${fault}`);
    }
  }
  await system.post(`/jobs/${running}/cancel`, {});
  expect(faults).toEqual([]);
});
