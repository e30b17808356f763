import type { NextConfig } from "next";

// One source, two builds: `next build` makes a Node server (the `web` service), `UI_EXPORT=1 next build` makes
// plain files in out/, which Go programs carry and serve.
const isExport = process.env.UI_EXPORT === "1";

// Where the pages of the export are mounted is known only when a program serves them. Until then this stands in its
// place. services/web knows the same word, and puts the real prefix there when it starts.
const BASE_PATH = isExport ? "/__windlass_base__" : "";

const config: NextConfig = {
  basePath: BASE_PATH,
  env: { BASE_PATH },
  output: isExport ? "export" : "standalone",
  images: { unoptimized: true },
  outputFileTracingRoot: import.meta.dirname,
  turbopack: { root: import.meta.dirname },
  outputFileTracingExcludes: { "*": ["node_modules/sharp/**", "node_modules/@img/**"] },
  poweredByHeader: false,
  devIndicators: false,
  // The same source gives the same file names, so that an embedded build can be repeated.
  generateBuildId: () => "windlass",
  ...(isExport
    ? {
        // The overview is at /prefix/, not at /prefix: a program mounts what is beneath /prefix/, and the router would
        // ask for /prefix.txt.
        skipTrailingSlashRedirect: true,
      }
    : {
        // The destination is fixed when the server is built: API_URL is a build argument.
        rewrites: async () => [
          {
            source: "/api/:path*",
            destination: `${process.env.API_URL ?? "http://127.0.0.1:8000"}/:path*`,
          },
        ],
      }),
};

export default config;
