import { defineConfig } from "@playwright/test";
import { launchOptions } from "./playwright.config";
import type { Build } from "./system";

// Draws docs/screenshots from the real window. Not a test: nothing is compared.

export default defineConfig<{ build: Build }>({
  testDir: ".",
  testMatch: "screenshots.ts",
  outputDir: "../../bin/e2e/screenshots",
  workers: 1,
  timeout: 120_000,
  reporter: [["list"]],
  use: { launchOptions, build: "embedded", viewport: { width: 1360, height: 850 } },
});
