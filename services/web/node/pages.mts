import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import type { IncomingMessage, ServerResponse } from "node:http";
import path from "node:path";
import { constants, gzipSync } from "node:zlib";
import { hasBody, refuse, takesGzip } from "./answer.mjs";

// The export of the Next.js application, out of memory. services/web/web.go does the same for Go programs, and
// tests/e2e/server.spec.ts holds both to the same rules.

/** The list in services/web/headers.json. The later ones come on top of "every". */
export type HeaderList = Record<"every" | "page" | "hashed", Record<string, string>>;

type Asset = {
  body: Buffer;
  /** Undefined where gzip gains nothing. */
  zipped: Buffer | undefined;
  tag: string;
  headers: Record<string, string>;
};

const BASE_PATH = "/__windlass_base__"; // as in next.config.ts
const NIL_ID = "00000000-0000-0000-0000-000000000000";
const JOB = /^jobs\/([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})(.*)$/i;
const INLINE_SCRIPT = /<script(?:\s+[^>]*)?>(.*?)<\/script>/gs;

const TEXT: Record<string, string> = {
  ".html": "text/html; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".txt": "text/plain; charset=utf-8",
  ".json": "application/json",
  ".svg": "image/svg+xml",
};
const BINARY: Record<string, string> = {
  ".woff2": "font/woff2",
  ".ico": "image/x-icon",
  ".png": "image/png",
};

export class Pages {
  private readonly assets = new Map<string, Asset>();

  /** Reads and compresses all files of an export. */
  constructor(
    folder: string,
    private readonly headers: HeaderList,
  ) {
    for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
      if (!entry.isFile()) continue;
      const file = path.join(entry.parentPath, entry.name);
      const name = path.relative(folder, file).split(path.sep).join("/");
      const body = readFileSync(file);
      const isText = path.extname(name) in TEXT;
      const placed = isText ? Buffer.from(body.toString().replaceAll(BASE_PATH, "")) : body;
      this.assets.set(name, this.asset(name, placed, constants.Z_BEST_COMPRESSION));
    }
    if (!this.assets.has("index.html")) throw new Error(`${folder} holds no export of the pages`);
  }

  /** Answers a request for `pathname`, which is decoded and begins with a slash. */
  serve(request: IncomingMessage, response: ServerResponse, pathname: string, query: string): void {
    if (request.method !== "GET" && request.method !== "HEAD") {
      response.setHeader("Allow", "GET, HEAD");
      refuse(response, 405, "Only GET and HEAD are served here.");
    } else if (hasBody(request)) {
      refuse(response, 400, "A request for a page has no body.");
    } else {
      this.find(request, response, pathname.slice(1), query);
    }
  }

  private find(request: IncomingMessage, response: ServerResponse, name: string, query: string): void {
    const bare = name.replace(/\/+$/, "");
    const asset = this.get(name);
    if (asset) {
      send(request, response, 200, asset);
    } else if (bare !== name && this.get(bare)) {
      response.writeHead(308, { Location: `/${bare}${query}`, "Content-Length": 0 }).end();
    } else {
      const missing = this.assets.get("404.html");
      if (missing) send(request, response, 404, missing);
      else refuse(response, 404, "There is nothing at this address.");
    }
  }

  private get(name: string): Asset | undefined {
    const found = this.stored(name || "index");
    if (found) return found;
    // There is one page for all jobs. The id that is asked for takes the place of the nil one, which is as long.
    const [, id, rest] = JOB.exec(name) ?? [];
    if (id === undefined || id === NIL_ID) return undefined;
    const page = this.stored(`jobs/${NIL_ID}${rest}`);
    if (!page) return undefined;
    const file = this.assets.has(`jobs/${NIL_ID}${rest}`) ? `${NIL_ID}${rest}` : `${NIL_ID}${rest}.html`;
    const body = Buffer.from(page.body.toString().replaceAll(NIL_ID, id));
    return this.asset(`jobs/${file}`, body, constants.Z_BEST_SPEED);
  }

  private stored(name: string): Asset | undefined {
    return this.assets.get(name) ?? this.assets.get(`${name}.html`);
  }

  private asset(name: string, body: Buffer, level: number): Asset {
    const extension = path.extname(name);
    const headers: Record<string, string> = {
      "Content-Type": TEXT[extension] ?? BINARY[extension] ?? "application/octet-stream",
    };
    if (extension === ".html") {
      for (const [header, value] of Object.entries(this.headers.page))
        headers[header] = value.replaceAll("{scripts}", scriptHashes(body.toString()));
    } else if (name.startsWith("_next/static/")) {
      Object.assign(headers, this.headers.hashed);
    }
    const zipped = extension === ".woff2" ? undefined : gzipSync(body, { level });
    return {
      body,
      zipped: zipped && zipped.length < body.length ? zipped : undefined,
      tag: createHash("sha256").update(body).digest("hex").slice(0, 16),
      headers,
    };
  }
}

/** The inline scripts of a page, in the form of a Content-Security-Policy. */
function scriptHashes(page: string): string {
  const scripts = [...page.matchAll(INLINE_SCRIPT)].map(([, script]) => script).filter((script) => script);
  const hashes = scripts.map((script) => createHash("sha256").update(String(script)).digest("base64"));
  return [...new Set(hashes)].map((hash) => ` 'sha256-${hash}'`).join("");
}

function send(request: IncomingMessage, response: ServerResponse, status: number, asset: Asset): void {
  let { body, tag } = asset;
  const headers = { ...asset.headers };
  if (asset.zipped) {
    headers.Vary = "Accept-Encoding";
    if (takesGzip(request)) {
      headers["Content-Encoding"] = "gzip";
      body = asset.zipped;
      tag += "-gz";
    }
  }
  if (status === 200) {
    headers.ETag = `"${tag}"`;
    const known = (request.headers["if-none-match"] ?? "")
      .split(",")
      .map((t) => t.trim().replace(/^W\//, ""));
    if (known.includes(headers.ETag) || known.includes("*")) {
      response.writeHead(304, headers).end();
      return;
    }
  }
  headers["Content-Length"] = String(body.length);
  response.writeHead(status, headers).end(request.method === "HEAD" ? undefined : body);
}
