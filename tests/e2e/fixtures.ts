import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { test as base, expect, type Page } from "@playwright/test";
import { type Build, System } from "./system";

type TestFixtures = {
  /** Errors in the console that a test expects. All others fail it. */
  allow: (message: RegExp) => void;
};
type WorkerFixtures = { build: Build; system: System };

export const test = base.extend<TestFixtures & { quiet: undefined }, WorkerFixtures>({
  build: ["embedded", { scope: "worker", option: true }],
  system: [
    async ({ build }, use) => {
      const system = new System(build);
      await system.start();
      await use(system);
      await system.stop();
    },
    { scope: "worker", timeout: 60_000 },
  ],
  baseURL: async ({ system }, use) => use(`${system.url}/`),
  allow: async ({ page }, use) => {
    const errors: string[] = [];
    // Chromium's word for an interface that came or went on this machine, such as a container's. It asks again.
    const allowed: RegExp[] = [/ERR_NETWORK_CHANGED/];
    page.on("console", (message) => {
      if (message.type() === "error" || message.type() === "warning") errors.push(message.text());
    });
    page.on("pageerror", (error) => errors.push(String(error)));
    await use((message) => allowed.push(message));
    expect(errors.filter((error) => !allowed.some((pattern) => pattern.test(error)))).toEqual([]);
  },
  // Every test looks at the console, whether it asks for `allow` or not.
  quiet: [async ({ allow }, use) => use(void allow), { auto: true }],
});

export { expect, type Page };

const AXE = createRequire(import.meta.url).resolve("axe-core/axe.min.js");

type Violation = { id: string; help: string; nodes: { html: string; failureSummary: string }[] };

const RUN = `axe.run({ runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"] })
  .then((result) => result.violations)`;

/** What axe finds on the page as it is: WCAG 2.2 AA and good practice. */
export async function violations(page: Page): Promise<string[]> {
  await page.evaluate(await readFile(AXE, "utf8"));
  const found = await page.evaluate<Violation[]>(RUN);
  return found.flatMap(({ id, help, nodes }) =>
    nodes.map(({ html, failureSummary }) => `${id}: ${help}\n${html}\n${failureSummary}`),
  );
}
