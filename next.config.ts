import type { NextConfig } from "next";
import { PHASE_DEVELOPMENT_SERVER } from "next/constants";

// `next build` makes plain files in out/. Go programs carry and serve them (services/web), and so does the Node server
// of the web service (services/web/node).

// Where the pages are mounted is known only when a program serves them. Until then this stands in its place. Both
// servers know the same word, and put the real prefix there when they start.
const BASE_PATH = "/__windlass_base__";

const shared: NextConfig = {
  images: { unoptimized: true },
  outputFileTracingRoot: import.meta.dirname,
  turbopack: { root: import.meta.dirname },
  devIndicators: false,
};

const exported: NextConfig = {
  ...shared,
  output: "export",
  basePath: BASE_PATH,
  env: { BASE_PATH },
  // The same source gives the same file names, so that an embedded build can be repeated.
  generateBuildId: () => "windlass",
  // The overview is at /prefix/, not at /prefix: a program mounts what is beneath /prefix/, and the router would ask
  // for /prefix.txt.
  skipTrailingSlashRedirect: true,
};

// For `npm run dev`, which serves the pages by itself.
const development: NextConfig = {
  ...shared,
  env: { BASE_PATH: "" },
  rewrites: async () => [
    { source: "/api/:path*", destination: `${process.env.API_URL ?? "http://127.0.0.1:8000"}/:path*` },
  ],
};

export default (phase: string): NextConfig => (phase === PHASE_DEVELOPMENT_SERVER ? development : exported);
