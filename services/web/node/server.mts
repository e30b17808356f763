import { readFileSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import path from "node:path";
import { problem, refuse } from "./answer.mjs";
import { type HeaderList, Pages } from "./pages.mjs";
import { ApiProxy } from "./proxy.mjs";
import { hostName, readSettings } from "./settings.mjs";

// The web service: the pages, and the API of another process under /api on the same origin.

const HEADER_MS = 5_000;
const REQUEST_MS = 20_000; // the API waits 15 s for a body, and says so; this ends what is not for the API
const IDLE_MS = 60_000;
const HEADER_BYTES = 16 << 10;
const CONNECTIONS = 1_000;
const CLIMBS = /(^|[/\\])\.\.?([/\\]|$)/;

const log = (level: string, msg: string, facts: object) =>
  console.log(JSON.stringify({ time: new Date().toISOString(), level, msg, ...facts }));

const settings = readSettings(process.env);
if (settings instanceof Error) {
  log("ERROR", "the settings are not valid", { error: settings.message });
  process.exit(1);
}
const { host, port, api, allowedHosts, shutdownDelay, shutdownTimeout } = settings;

const here = import.meta.dirname;
const headers: HeaderList = JSON.parse(readFileSync(path.join(here, "headers.json"), "utf8"));
const pages = new Pages(path.join(here, "pages"), headers);
const proxy = new ApiProxy(api, log);
let stopping = false;

const server = createServer(
  {
    headersTimeout: HEADER_MS,
    requestTimeout: REQUEST_MS,
    connectionsCheckingInterval: 500, // how often the two are looked at; the default is 30 s
    keepAliveTimeout: IDLE_MS,
    maxHeaderSize: HEADER_BYTES,
  },
  (request, response) => {
    handle(request, response).catch((error) => {
      log("ERROR", "a request failed", { error: String(error?.stack ?? error) });
      response.destroy();
    });
  },
);
server.maxConnections = CONNECTIONS;
server.setTimeout(IDLE_MS); // of silence, in both directions: for those who do not read their answer
// There is no listener for upgrades. So a request that asks for one is answered like any other, and the connection ends.
server.on("connect", (_request, socket) => {
  socket.end("HTTP/1.1 405 Method Not Allowed\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
});

async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
  for (const [name, value] of Object.entries(headers.every)) response.setHeader(name, value);
  if (stopping || request.headers.upgrade !== undefined) response.setHeader("Connection", "close");

  const url = request.url ?? "";
  const query = url.includes("?") ? url.slice(url.indexOf("?")) : "";
  const raw = url.slice(0, url.length - query.length);
  const pathname = decoded(raw);
  if (!raw.startsWith("/") || pathname === undefined) {
    // "*", or an address for a proxy, or an escape that is none
    refuse(response, 400, "This is not the address of a page.");
  } else if ((request.headers["transfer-encoding"] ?? "chunked").toLowerCase() !== "chunked") {
    refuse(response, 501, "A body may come in chunks, and in no other coding.");
  } else if ((request.headersDistinct.host ?? []).length !== 1) {
    refuse(response, 400, "A request names one host.");
  } else if (pathname === "/livez") {
    // Probes come with the address of a pod or a container, which no setting knows.
    response.writeHead(200, { "Content-Type": "application/json" }).end('{"status":"ok"}\n');
  } else if (!isAddressed(request)) {
    const detail = "This server does not answer to the host name of the request: see ALLOWED_HOSTS.";
    problem(response, 421, "misdirected", "This host name is not served here", detail);
  } else if (isApi(raw) && CLIMBS.test(pathname)) {
    refuse(response, 400, 'An address of the API has no parts such as "..".'); // it could leave the path of API_URL
  } else if (isApi(raw)) {
    await proxy.pass(request, response, (raw.slice("/api".length) || "/") + query, "/api");
  } else {
    pages.serve(request, response, pathname, query);
  }
}

function isApi(raw: string): boolean {
  return raw === "/api" || raw.startsWith("/api/");
}

function decoded(raw: string): string | undefined {
  try {
    return decodeURIComponent(raw);
  } catch {
    return undefined;
  }
}

/** Whether the Host, and each name under which a proxy in front was asked, is ours. The API makes the same check. */
function isAddressed({
  headers: { host = "", "x-forwarded-host": forwarded = [] },
}: IncomingMessage): boolean {
  if (!allowedHosts) return true;
  const names = [host, ...[forwarded].flat().flatMap((list) => list.split(","))];
  return names.every((name) => allowedHosts.has(hostName(name)));
}

server.on("error", (error) => {
  log("ERROR", "cannot listen", { host, port, error: error.message });
  process.exit(1);
});
server.listen(port, host, () => log("INFO", "ready", { host, port, api: api.href }));

for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, stop);

/** Lets requests come to their end, those that take too long excepted. A second signal ends the process at once. */
function stop(): void {
  if (stopping) process.exit(1);
  stopping = true;
  log("INFO", "stopping", {});
  setTimeout(() => {
    server.close(() => process.exit(0));
    setInterval(() => server.closeIdleConnections(), 50);
    setTimeout(() => server.closeAllConnections(), shutdownTimeout);
  }, shutdownDelay);
}
