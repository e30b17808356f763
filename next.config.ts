import type { NextConfig } from "next";

// One source, two builds: `next build` makes a Node server (the `web` service), `UI_EXPORT=1 next build` makes
// plain files in out/, which the embedded process carries.
const isExport = process.env.UI_EXPORT === "1";

const config: NextConfig = {
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
    ? {}
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
