import { defineConfig } from "@playwright/test";
import type { Build } from "./system";

// One suite for both builds of the window. One worker: each has its own processes, on fixed ports.

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
  timeout: 60_000,
  expect: { timeout: 15_000 },
  forbidOnly: Boolean(process.env.CI),
  reporter: [["list"]],
  use: {
    launchOptions,
    viewport: { width: 1440, height: 900 },
    trace: "retain-on-failure",
    acceptDownloads: true,
  },
  projects: [
    { name: "embedded", use: { build: "embedded" } },
    { name: "node", use: { build: "node" } },
  ],
});
