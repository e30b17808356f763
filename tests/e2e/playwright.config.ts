import { defineConfig } from "@playwright/test";
import type { Build } from "./system";

// One suite for both builds of the window, and a small one for a window beneath a prefix. One worker: each has its own processes, on fixed ports.

const PREFIX = "prefix.spec.ts";

export const launchOptions = {
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
  ],
};

export default defineConfig<{ build: Build }>({
  testDir: ".",
  testMatch: "*.spec.ts",
  outputDir: "../../bin/e2e/results",
  workers: 1,
  timeout: 180_000,
  expect: { timeout: 45_000 },
  forbidOnly: Boolean(process.env.CI),
  reporter: [["list"]],
  use: {
    launchOptions,
    viewport: { width: 1440, height: 900 },
    trace: "retain-on-failure",
    acceptDownloads: true,
  },
  projects: [
    { name: "embedded", testIgnore: PREFIX, use: { build: "embedded" } },
    { name: "node", testIgnore: PREFIX, use: { build: "node" } },
    { name: "mounted", testMatch: PREFIX, use: { build: "mounted" } },
  ],
});
