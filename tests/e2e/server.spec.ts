import { readFile } from "node:fs/promises";
import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import { gzipSync } from "node:zlib";
import { expect, test } from "./fixtures";
import { answering, end, runNodeServer, SPARE_PORT } from "./system";

// What both servers of the pages owe to whoever speaks HTTP to them, browser or not. The embedded process is written
// in Go and the web service in TypeScript; the list of headers is one file.

type HeaderList = Record<"every" | "page" | "hashed", Record<string, string>>;
const headerList = async (): Promise<HeaderList> =>
  JSON.parse(await readFile(new URL("../../services/web/headers.json", import.meta.url), "utf8"));

const PAGES = ["/", "/create", "/dead", "/queues", "/workers"];

test("every answer carries the headers of the one list", async ({ system, page }) => {
  const { every, page: ofPages, hashed } = await headerList();
  const id = await system.submit({ type: "email", queue: "headers", delay_seconds: 3600 });
  const script = /src="(\/_next\/static\/[^"]+\.js)"/.exec(await (await fetch(`${system.url}/`)).text())?.[1];
  expect(script).toBeDefined();

  async function check(path: string, status: number, kind: "page" | "hashed" | "other", method = "GET") {
    const answer = await page.request.fetch(system.url + path, { method, maxRedirects: 0 });
    const got = answer.headers();
    expect.soft(answer.status(), `${method} ${path}`).toBe(status);
    const want = { ...every, ...(kind === "page" ? ofPages : kind === "hashed" ? hashed : {}) };
    for (const [name, value] of Object.entries(want)) {
      const pattern = value
        .replace(/[.*+?^$()|[\]\\]/g, "\\$&")
        .replace("{scripts}", "(?: 'sha256-[A-Za-z0-9+/=]{44}')+");
      expect
        .soft(got[name.toLowerCase()], `${name} of ${method} ${path}`)
        .toMatch(new RegExp(`^${pattern}$`));
    }
    expect.soft(got["x-powered-by"], path).toBeUndefined();
  }

  for (const path of [...PAGES, `/jobs/${id}`]) await check(path, 200, "page");
  await check("/nowhere", 404, "page");
  await check("/jobs/nowhere", 404, "page");
  await check("/create/", 308, "other");
  await check("/icon.svg", 200, "other");
  await check("/theme.js", 200, "other");
  await check(String(script), 200, "hashed");
  await check("/", 405, "other", "POST");
  const policy = ofPages["Content-Security-Policy"] ?? "";
  expect(/script-src[^;]*/.exec(policy)?.[0]).not.toContain("unsafe");
  expect(policy).toContain("frame-ancestors 'none'");
});

test("pages and scripts are packed, and asked for again only when they have changed", async ({ system }) => {
  for (const path of ["/", "/theme.js"]) {
    const first = await fetch(system.url + path);
    expect(first.headers.get("vary")).toContain("Accept-Encoding");
    const tag = String(first.headers.get("etag"));
    const again = await fetch(system.url + path, { headers: { "If-None-Match": tag } });
    expect(again.status, path).toBe(304);
  }
  expect((await fetch(`${system.url}/`)).headers.get("content-encoding")).toBe("gzip");
  const plain = await fetch(`${system.url}/`, { headers: { "Accept-Encoding": "identity" } });
  expect(plain.headers.get("content-encoding")).toBeNull();
});

test("no page breaks its Content-Security-Policy", async ({ system, page }) => {
  const id = await system.submit({ type: "email", queue: "policy", delay_seconds: 3600 });
  const broken: string[] = [];
  await page.exposeFunction("report", (what: string) => broken.push(what));
  await page.addInitScript(() => {
    document.addEventListener("securitypolicyviolation", (event) => {
      Reflect.get(window, "report")(`${event.violatedDirective} ${event.blockedURI} in ${event.documentURI}`);
    });
  });
  for (const path of [...PAGES, `/jobs/${id}`]) {
    await page.goto(path);
    await expect(page.getByRole("heading", { level: 1 })).toBeVisible();
    await expect(async () => {
      await page.keyboard.press("/"); // it is heard as soon as the scripts run
      await expect(page.getByRole("dialog")).toBeVisible({ timeout: 2_000 });
    }).toPass();
    await page.keyboard.press("Escape");
    await expect(page.getByRole("dialog")).toBeHidden();
  }
  expect(broken).toEqual([]);
});

test("a page of another site cannot frame the window", async ({ system, page, allow }) => {
  allow(/frame-ancestors|X-Frame-Options|Refused to (frame|display)|Framing/i);
  const foreign = createServer((_, response) => {
    response.setHeader("Content-Type", "text/html");
    response.end(
      `<link rel="icon" href="data:,"><iframe src="${system.url}/" onload="document.title = 'loaded'"></iframe>`,
    );
  });
  const url = await listening(foreign);
  try {
    await page.goto(url);
    await expect(page).toHaveTitle("loaded"); // so it is for the error in its place, too
    const frame = page.frames()[1];
    expect(frame?.url()).toMatch(/^chrome-error:/);
    await expect(page.frameLocator("iframe").getByText("Windlass")).toHaveCount(0);
  } finally {
    foreign.close();
  }
});

test("what is not a request for a page or the API is refused, and the connection ends", async ({
  system,
}) => {
  const host = "Host: localhost\r\n";
  const chunked = "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n";
  const smuggled = "0\r\n\r\nGET /icon.svg HTTP/1.1\r\nHost: localhost\r\n\r\n";
  for (const [sent, status] of [
    [`OPTIONS * HTTP/1.1\r\n${host}\r\n`, /^HTTP\/1\.1 400 /],
    [`GET * HTTP/1.1\r\n${host}\r\n`, /^HTTP\/1\.1 400 /],
    [`GET http://localhost/ HTTP/1.1\r\n${host}\r\n`, /^HTTP\/1\.1 400 /],
    [`GET http://evil.example/ HTTP/1.1\r\n${host}\r\n`, /^HTTP\/1\.1 4(00|21) /],
    [`CONNECT localhost:80 HTTP/1.1\r\n${host}\r\n`, /^HTTP\/1\.1 4(00|05) /],
    [`GET / HTTP/1.1\r\n${host}${chunked}\r\n${smuggled}`, /^HTTP\/1\.1 400 /],
    [`POST / HTTP/1.1\r\n${host}${chunked}\r\n${smuggled}`, /^HTTP\/1\.1 4(00|05) /],
    [`GET / HTTP/1.1\r\n${host}Content-Length: 5\r\n\r\nhello`, /^HTTP\/1\.1 400 /],
    [`GET / HTTP/1.1\r\n${host}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n`, /^HTTP\/1\.1 400 /],
    [`POST / HTTP/1.1\r\n${host}Content-Length: 0\r\n\r\n`, /^HTTP\/1\.1 405 /],
    [`TRACE / HTTP/1.1\r\n${host}\r\n`, /^HTTP\/1\.1 405 /],
    [`GET / HTTP/1.1\r\n${host}Host: evil.example\r\n\r\n`, /^HTTP\/1\.1 400 /],
    ["GET / HTTP/1.1\r\n\r\n", /^HTTP\/1\.1 400 /],
    [`GET /%zz HTTP/1.1\r\n${host}\r\n`, /^HTTP\/1\.1 400 /],
    ["hello\r\n\r\n", /^HTTP\/1\.1 400 /],
    [`GET / HTTP/1.1\r\n${host}X: ${"x".repeat(40_000)}\r\n\r\n`, /^HTTP\/1\.1 431 /],
  ] as const) {
    const { answer, closed } = await exchange(system.url, sent);
    expect.soft(answer, JSON.stringify(sent.slice(0, 80))).toMatch(status);
    expect
      .soft(answer.match(/HTTP\/1\.1 /g), `answers to ${JSON.stringify(sent.slice(0, 80))}`)
      .toHaveLength(1);
    expect.soft(closed, `closed after ${JSON.stringify(sent.slice(0, 80))}`).toBe(true);
  }
});

test("bytes that do not belong into a request do no harm", async ({ system }) => {
  for (const path of ["/", "/api/jobs"]) {
    for (const odd of [
      "\x00",
      "\x01",
      "\x7f",
      "\x80",
      "\xff",
      "\r",
      "\n x",
      "é",
      "%00",
      "%ff",
      "\\",
      "|",
      "#",
      " ",
    ]) {
      const end = "Connection: close\r\n\r\n";
      for (const sent of [
        `GET ${path}?q=${odd} HTTP/1.1\r\nHost: localhost\r\n${end}`,
        `GET ${path}${odd} HTTP/1.1\r\nHost: localhost\r\n${end}`,
        `GET ${path} HTTP/1.1\r\nHost: localhost\r\nIdempotency-Key: a${odd}b\r\n${end}`,
        `GET ${path} HTTP/1.1\r\nHost: local${odd}host\r\n${end}`,
        `GET ${path} HTTP/1.1\r\nHost: localhost\r\nX${odd}: 1\r\n${end}`,
      ]) {
        const { answer, closed } = await exchange(system.url, sent);
        expect.soft(answer, JSON.stringify(sent)).toMatch(/^HTTP\/1\.1 (2|3|4)\d\d /);
        expect.soft(closed, JSON.stringify(sent)).toBe(true);
      }
    }
  }
  const gzip = "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n";
  const coded = await exchange(system.url, `POST /api/jobs HTTP/1.1\r\nHost: localhost\r\n${gzip}`);
  expect(coded.answer).toMatch(/^HTTP\/1\.1 (400|501) /);
});

test("the pages answer to their own names only", async ({ system }) => {
  const named = (headers: string) => `GET /create HTTP/1.1\r\n${headers}Connection: close\r\n\r\n`;
  for (const [sent, status] of [
    [named("Host: localhost\r\n"), 200],
    [named("Host: LOCALHOST:3000\r\n"), 200],
    [named("Host: evil.example\r\n"), 421],
    [named("Host: localhost.evil.example\r\n"), 421],
    [named("Host: evil.example\r\nX-Forwarded-Host: localhost\r\n"), 421],
    [named("Host: localhost\r\nX-Forwarded-Host: evil.example\r\n"), 421],
    [named("Host: localhost\r\nX-Forwarded-Host: localhost, evil.example\r\n"), 421],
    [named("Host: localhost\r\nX-Forwarded-Host: localhost\r\n"), 200],
  ] as const) {
    const { answer } = await exchange(system.url, sent);
    expect.soft(answer, JSON.stringify(sent)).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
    if (status === 421) expect.soft(answer).toContain("ALLOWED_HOSTS");
  }
});

test("a request for another protocol is answered, and leaves no connection behind", async ({ system }) => {
  const ask = (path: string) =>
    `GET ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
  const paths = ["/", "/nowhere", "/_next/webpack-hmr", "/api/livez"];
  const answers = await Promise.all(
    Array.from({ length: 200 }, (_, i) => exchange(system.url, ask(paths[i % paths.length] ?? "/"))),
  );
  for (const { answer, closed } of answers) {
    expect(answer).toMatch(/^HTTP\/1\.1 (200|404) /);
    expect(closed).toBe(true);
  }
});

test("headers and bodies that do not come are not waited for, and others are served meanwhile", async ({
  system,
}) => {
  const stalled = Array.from({ length: 50 }, (_, i) =>
    exchange(system.url, i % 2 ? "GET / HTTP/1.1\r\nHost: loc" : "", 20_000),
  );
  const length = "Host: localhost\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n";
  const body = exchange(system.url, `POST /api/jobs HTTP/1.1\r\n${length}{"type":`, 40_000);
  expect((await fetch(`${system.url}/`)).status).toBe(200);
  const begin = Date.now();
  for (const { closed } of await Promise.all(stalled)) expect(closed).toBe(true);
  expect(Date.now() - begin, "ms until all were closed").toBeLessThan(15_000); // the limit is 5 s
  const { answer, closed } = await body; // the limit is 15 s, and who waits for it is told
  expect(answer).toMatch(/^HTTP\/1\.1 408 [\s\S]*urn:windlass:problem:request_timeout/);
  expect(closed).toBe(true);
});

test("a bulk of 12 MB arrives, and one beyond the limit gets the API's own refusal", async ({ system }) => {
  const bulk = (bytes: number) => {
    const job = {
      type: "email",
      queue: "large",
      delay_seconds: 3600,
      payload: { text: "x".repeat(200_000) },
    };
    return JSON.stringify({ jobs: Array.from({ length: Math.ceil(bytes / 200_000) }, () => job) });
  };
  const send = (body: string) =>
    fetch(`${system.url}/api/jobs/bulk`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body,
    });
  const taken = await send(bulk(12_000_000));
  expect(taken.status).toBe(201);
  const refused = await send(bulk(17_500_000));
  expect(refused.status).toBe(413);
  expect(refused.headers.get("content-type")).toBe("application/problem+json");
  expect((await refused.json()).type).toBe("urn:windlass:problem:too_large");
});

test("an answer of the API keeps its headers and leads back into /api", async ({ system }) => {
  const made = await fetch(`${system.url}/api/jobs`, {
    method: "POST",
    headers: { "Content-Type": "application/json", Origin: system.url, "Sec-Fetch-Site": "same-origin" },
    body: JSON.stringify({ type: "email", queue: "located", delay_seconds: 3600 }),
  });
  expect(made.status).toBe(201);
  expect(made.headers.get("location")).toMatch(/^\/api\/jobs\/[0-9a-f-]{36}$/);
  expect(made.headers.get("cache-control")).toBe("no-store");
  const metrics = await fetch(`${system.url}/api/metrics`);
  expect(metrics.status).toBe(200);
});

test.describe("The Node server", () => {
  test.beforeEach(({ build }) => test.skip(build !== "node", "the embedded process has its API inside"));

  const PORT = SPARE_PORT;
  const URL_ = `http://localhost:${PORT}`;

  /** Runs the Node server in front of an API that behaves as `handle` says. */
  async function inFrontOf(
    handle: (request: IncomingMessage, response: ServerResponse) => void,
    use: (node: ReturnType<typeof runNodeServer>) => Promise<void>,
    path = "",
  ) {
    const api = createServer(handle);
    const node = runNodeServer({ PORT: String(PORT), API_URL: (await listening(api)) + path });
    try {
      await answering(`${URL_}/`);
      await use(node);
    } finally {
      api.closeAllConnections();
      api.close();
      await end(node);
    }
  }

  test("passes a slow answer on as it comes", async () => {
    let say: ((text: string) => void) | undefined;
    const handle = (_: IncomingMessage, response: ServerResponse) => {
      response.writeHead(200, { "Content-Type": "text/event-stream", "Cache-Control": "no-cache" });
      response.flushHeaders();
      say = (text) => (text ? response.write(text) : response.end());
    };
    await inFrontOf(handle, async () => {
      const answer = await fetch(`${URL_}/api/events`);
      expect(answer.status).toBe(200);
      const reader = answer.body?.getReader();
      for (const event of ["data: one\n\n", "data: two\n\n"]) {
        say?.(event); // nothing more is said until this has arrived
        expect(new TextDecoder().decode((await reader?.read())?.value)).toBe(event);
      }
      say?.("");
      expect((await reader?.read())?.done).toBe(true);
    });
  });

  test("passes an answer on in the form that the API chose", async () => {
    const headers = { "Content-Type": "application/json", ETag: 'W/"1"', Vary: "Accept, Accept-Encoding" };
    const handle = (asked: IncomingMessage, response: ServerResponse) => {
      const body = gzipSync(JSON.stringify({ accepts: asked.headers["accept-encoding"] }));
      if (asked.method === "GET")
        response.writeHead(200, { ...headers, "Content-Encoding": "gzip" }).end(body);
      else response.writeHead(201, { "Content-Type": "application/json" }).end(`"${"x".repeat(5000)}"`);
    };
    await inFrontOf(handle, async () => {
      const answer = await fetch(`${URL_}/api/jobs`, { headers: { "Accept-Encoding": "gzip" } });
      expect(answer.headers.get("content-encoding")).toBe("gzip");
      expect(answer.headers.get("vary")).toBe(headers.Vary);
      expect(answer.headers.get("etag")).toBe(headers.ETag);
      expect(await answer.json()).toEqual({ accepts: "gzip" });
      // The API leaves answers to POST as they are, and knows why.
      const posted = await fetch(`${URL_}/api/jobs`, { method: "POST", body: "{}" });
      expect(posted.headers.get("content-encoding")).toBeNull();
      expect(await posted.text()).toHaveLength(5002);
    });
  });

  test("passes a body on while it is still being sent", async () => {
    const seen: string[] = [];
    const handle = (asked: IncomingMessage, response: ServerResponse) => {
      asked.on("data", (part) => seen.push(String(part)));
      asked.on("end", () => response.end(seen.join("")));
    };
    await inFrontOf(handle, async () => {
      const out = request(`${URL_}/api/jobs`, { method: "POST" });
      out.write("first ");
      await expect.poll(() => seen).toEqual(["first "]);
      out.end("second");
      const answer = await new Promise<IncomingMessage>((resolve) => out.on("response", resolve));
      expect(await text(answer)).toBe("first second");
    });
  });

  test("says who was asked, and lets nobody pass for another host", async () => {
    const handle = (asked: IncomingMessage, response: ServerResponse) =>
      response.end(JSON.stringify({ url: asked.url, headers: asked.headers }));
    await inFrontOf(handle, async () => {
      const sent =
        "GET /api/jobs?limit=1 HTTP/1.1\r\nHost: evil.example\r\nX-Forwarded-Host: localhost\r\n" +
        "X-Forwarded-For: 10.0.0.1\r\nConnection: close, X-Private\r\nX-Private: 1\r\nTE: trailers\r\n\r\n";
      const { answer } = await exchange(URL_, sent);
      const { url, headers } = JSON.parse(answer.slice(answer.indexOf("{"), answer.lastIndexOf("}") + 1));
      expect(url).toBe("/jobs?limit=1");
      expect(headers["x-forwarded-host"]).toBe("localhost, evil.example");
      expect(headers["x-forwarded-for"]).toMatch(/^10\.0\.0\.1, .*127\.0\.0\.1$/);
      expect(headers).not.toHaveProperty("x-private");
      expect(headers).not.toHaveProperty("te");
    });
  });

  test("passes on one request for one, whatever Connection names", async () => {
    const seen: string[] = [];
    const handle = (asked: IncomingMessage, response: ServerResponse) => {
      let body = "";
      asked.on("data", (part) => {
        body += part;
      });
      asked.on("end", () => {
        seen.push(`${asked.method} ${asked.url} ${body}`);
        response.end("over");
      });
    };
    await inFrontOf(handle, async () => {
      const inner = "GET /smuggled HTTP/1.1\r\nHost: api\r\n\r\n";
      for (const method of ["GET", "DELETE", "OPTIONS", "POST"]) {
        for (const framing of [
          `Connection: close, Content-Length\r\nContent-Length: ${inner.length}\r\n\r\n${inner}`,
          `Connection: close, Transfer-Encoding, Host\r\nTransfer-Encoding: chunked\r\n\r\n${inner.length.toString(16)}\r\n${inner}\r\n0\r\n\r\n`,
        ]) {
          seen.length = 0;
          const sent = `${method} /api/jobs HTTP/1.1\r\nHost: localhost\r\n${framing}`;
          expect.soft((await exchange(URL_, sent)).answer, sent).toMatch(/^HTTP\/1\.1 200 /);
          await fetch(`${URL_}/api/last`); // on the same connection to the API
          expect.soft(seen, sent).toEqual([`${method} /jobs ${inner}`, "GET /last "]);
        }
      }
    });
  });

  test("stays beneath the path of API_URL, and Location headers lead back into /api", async () => {
    const seen: string[] = [];
    const handle = (asked: IncomingMessage, response: ServerResponse) => {
      seen.push(String(asked.url));
      const query = asked.url?.split("?")[1];
      response.writeHead(201, query ? { Location: query } : {}).end();
    };
    await inFrontOf(
      handle,
      async () => {
        for (const [location, leads] of [
          ["/windlass/api/jobs/1", "/api/jobs/1"], // an API that knows where it is
          ["/jobs/1", "/api/jobs/1"], // an API behind a proxy that takes the path away
          ["/windlass/apis", "/api/windlass/apis"],
          ["https://example.com/", "https://example.com/"],
        ] as const) {
          const answer = await fetch(`${URL_}/api/jobs?${location}`);
          expect(answer.headers.get("location"), location).toBe(leads);
        }
        expect(seen[0]).toBe("/windlass/api/jobs?/windlass/api/jobs/1");
        seen.length = 0;
        for (const path of [
          "/..",
          "/../../admin",
          "/jobs/%2e%2E/x",
          "/jobs/..%2fx",
          "/./jobs",
          "/..\\x",
          "/%2e",
        ]) {
          const sent = `GET /api${path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`;
          expect.soft((await exchange(URL_, sent)).answer, path).toMatch(/^HTTP\/1\.1 400 /);
        }
        expect(seen).toEqual([]);
      },
      "/windlass/api",
    );
  });

  test("is refused by the API under a name of somebody else", async ({ system }) => {
    const node = runNodeServer({ PORT: String(PORT), API_URL: system.api });
    try {
      await answering(`${URL_}/`);
      for (const forged of ["", "X-Forwarded-Host: localhost\r\n"]) {
        const sent = `GET /api/jobs HTTP/1.1\r\nHost: evil.example\r\n${forged}Connection: close\r\n\r\n`;
        expect((await exchange(URL_, sent)).answer).toMatch(/^HTTP\/1\.1 421 /);
      }
    } finally {
      await end(node);
    }
  });

  test("says in a problem that the API cannot be reached", async () => {
    const node = runNodeServer({ PORT: String(PORT), API_URL: "http://127.0.0.1:1" });
    try {
      await answering(`${URL_}/`);
      for (const init of [{}, { method: "POST", body: "x".repeat(5_000_000) }]) {
        const answer = await fetch(`${URL_}/api/jobs`, init);
        expect(answer.status).toBe(503);
        expect(answer.headers.get("content-type")).toBe("application/problem+json");
        expect(answer.headers.get("retry-after")).toBe("2");
        expect(await answer.json()).toMatchObject({
          type: "urn:windlass:problem:api_unreachable",
          status: 503,
        });
      }
    } finally {
      await end(node);
    }
  });

  test("does not know what became of a request when the API hangs up on it", async () => {
    await inFrontOf(
      (asked) => asked.socket.destroy(),
      async () => {
        const posted = await fetch(`${URL_}/api/jobs`, { method: "POST", body: "{}" });
        expect(posted.status).toBe(502);
        expect(await posted.json()).toMatchObject({ type: "urn:windlass:problem:outcome_unknown" });
        expect((await fetch(`${URL_}/api/jobs`)).status).toBe(503);
      },
    );
  });

  test("breaks off an answer that the API broke off", async () => {
    const handle = (_: IncomingMessage, response: ServerResponse) => {
      response.writeHead(200, { "Content-Length": "1000" });
      response.write("half", () => response.destroy());
    };
    await inFrontOf(handle, async () => {
      const answer = await fetch(`${URL_}/api/jobs`);
      await expect(answer.text()).rejects.toThrow();
    });
  });

  test("ends what it has begun when it is told to stop, and then itself", async () => {
    let finish: (() => void) | undefined;
    const handle = (_: IncomingMessage, response: ServerResponse) => {
      finish = () => response.end("finished");
    };
    await inFrontOf(handle, async (node) => {
      const idle = await opened(URL_, "GET /icon.svg HTTP/1.1\r\nHost: localhost\r\n\r\n");
      const begun = fetch(`${URL_}/api/slow`);
      await expect.poll(() => finish !== undefined).toBe(true);
      const over = new Promise((resolve) => node.once("exit", resolve));
      const hungUp = new Promise((resolve) => idle.once("close", resolve));
      node.kill("SIGTERM");
      await hungUp; // a connection with nothing to do is closed at once
      await expect(fetch(`${URL_}/`)).rejects.toThrow();
      finish?.();
      expect(await (await begun).text()).toBe("finished");
      expect(await over).toBe(0);
    });
  });

  test("cuts off what does not end within its time to stop", async () => {
    const node = runNodeServer({ PORT: String(PORT), SHUTDOWN_TIMEOUT: "200ms" });
    await answering(`${URL_}/`);
    const stalled = await opened(URL_, "GET / HTTP/1.1\r\nHost: loc");
    const over = new Promise((resolve) => node.once("exit", resolve));
    node.kill("SIGTERM");
    expect(await over).toBe(0);
    stalled.destroy();
  });

  test("holds 1,000 connections and no more", async () => {
    const node = runNodeServer({ PORT: String(PORT) });
    try {
      await answering(`${URL_}/`);
      const sockets = await Promise.all(Array.from({ length: 1100 }, () => opened(URL_, "")));
      const turnedAway = () => sockets.filter(({ closed }) => closed).length;
      await expect.poll(turnedAway).toBeGreaterThanOrEqual(100);
      for (const socket of sockets) socket.destroy();
      await answering(`${URL_}/`);
    } finally {
      await end(node);
    }
  });

  test("refuses settings that it does not understand", async () => {
    const wrong: Record<string, string>[] = [
      { API_URL: "api:8000" },
      { API_URL: "http://me:secret@api" },
      { SHUTDOWN_TIMEOUT: "soon" },
    ];
    for (const env of wrong) {
      const node = runNodeServer({ PORT: String(PORT), ...env });
      expect(await new Promise((resolve) => node.once("exit", resolve))).toBe(1);
    }
  });
});

async function listening(server: Server): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return `http://127.0.0.1:${port}`;
}

async function text(answer: IncomingMessage): Promise<string> {
  let all = "";
  for await (const part of answer) all += part;
  return all;
}

/** Opens a connection and sends bytes on it. */
async function opened(url: string, bytes: string): Promise<Socket> {
  const { port } = new URL(url);
  const socket = connect(Number(port), "127.0.0.1");
  socket.on("error", () => {}); // a reset is a way to close, too
  socket.resume(); // else it would not notice its end
  await new Promise((resolve) => socket.once("connect", resolve));
  if (bytes) socket.write(bytes, "latin1");
  return socket;
}

/** Sends bytes and reads what comes, until the server hangs up or the time is over. */
async function exchange(
  url: string,
  bytes: string,
  patience = 10_000,
): Promise<{ answer: string; closed: boolean }> {
  const socket = await opened(url, bytes);
  let answer = "";
  socket.on("data", (part) => {
    answer += part;
  });
  const closed = await new Promise<boolean>((resolve) => {
    const late = setTimeout(() => resolve(false), patience);
    socket.once("close", () => {
      clearTimeout(late);
      resolve(true);
    });
  });
  socket.destroy();
  return { answer, closed };
}
