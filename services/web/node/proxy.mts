import http, {
  type ClientRequest,
  type IncomingMessage,
  type OutgoingHttpHeaders,
  type ServerResponse,
} from "node:http";
import https from "node:https";
import { pipeline } from "node:stream/promises";
import { endWithRequest, hasBody, problem } from "./answer.mjs";

// These speak about one connection. RFC 9110, 7.6.1. Expect was answered by our own server.
const HOP_BY_HOP = [
  "connection",
  "expect",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
];
const SILENCE_MS = 60_000; // the API answers within 30 s, and a stream of events says something every 15 s
const REUSE_MS = 30_000; // the API hangs up after 60 s: a connection that it is about to close is not used again
const NEVER_CONNECTED = /^(ECONNREFUSED|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH)$/;

/**
 * Passes requests on to the API and answers back, byte by byte as they come: nothing is collected, none is limited. The
 * API compresses what is worth it.
 */
export class ApiProxy {
  private readonly client: typeof http | typeof https;
  private readonly agent: http.Agent;
  private readonly base: string;
  private reachable = true;

  constructor(
    private readonly api: URL,
    private readonly log: (level: string, message: string, facts: object) => void,
  ) {
    this.base = api.pathname.replace(/\/$/, "");
    this.client = api.protocol === "https:" ? https : http;
    this.agent = new this.client.Agent({ keepAlive: true, timeout: REUSE_MS });
  }

  /** Answers a request by what the API says at `target`, a path with a query. Location headers begin with `prefix`. */
  async pass(
    request: IncomingMessage,
    response: ServerResponse,
    target: string,
    prefix: string,
  ): Promise<void> {
    let out: ClientRequest;
    try {
      out = this.client.request(this.api, {
        agent: this.agent,
        method: request.method,
        path: this.base + target,
        headers: this.forwarded(request),
        timeout: SILENCE_MS,
      });
    } catch {
      const detail = "The address or a header has characters that cannot be passed on.";
      problem(response, 400, "unsupported_request", "The request cannot be served", detail);
      return;
    }
    out.on("timeout", () => out.destroy(new Error("the API was silent for too long")));
    response.on("close", () => {
      if (!response.writableFinished) out.destroy(); // nobody waits for the answer
    });
    const answered = new Promise<IncomingMessage>((resolve, reject) => {
      out.on("response", resolve);
      out.on("error", reject); // also after the answer: then it is that of the upload, which the API no longer wants
    });
    // Not a pipeline: that would destroy the connection to the browser when the API refuses to read on.
    if (hasBody(request)) request.pipe(out);
    else out.end();
    try {
      const answer = await answered;
      this.seen(true);
      await this.answer(request, response, answer, prefix);
    } catch (error) {
      if (response.destroyed) return;
      if (response.headersSent)
        response.destroy(); // so that the answer does not look complete
      else this.unanswered(request, response, error);
    } finally {
      if (!out.writableFinished) out.destroy();
    }
  }

  private forwarded(request: IncomingMessage): OutgoingHttpHeaders {
    const headers: OutgoingHttpHeaders = endToEnd(request);
    // Where the body ends is said anew, because Connection may have named the header that said it. The API would take a
    // body without an end for the next request.
    const { "transfer-encoding": coding, "content-length": length } = request.headers;
    if (coding) headers["transfer-encoding"] = "chunked";
    else if (length !== undefined) headers["content-length"] = length;
    // The API checks each name in the list. What came may be a page's own word, so the Host that was really used is
    // added to it and does not give way to it.
    const {
      host = "",
      "x-forwarded-for": from,
      "x-forwarded-host": hosts,
      "x-forwarded-proto": scheme,
    } = request.headers;
    headers.host = this.api.host;
    headers["x-forwarded-host"] = list(hosts, host);
    headers["x-forwarded-for"] = list(from, request.socket.remoteAddress ?? "unknown");
    headers["x-forwarded-proto"] = scheme ?? "http";
    return headers;
  }

  private async answer(
    request: IncomingMessage,
    response: ServerResponse,
    answer: IncomingMessage,
    prefix: string,
  ): Promise<void> {
    const headers = endToEnd(answer);
    if (answer.headers.location?.startsWith("/"))
      headers.location = [prefix + this.beneath(answer.headers.location)];
    if (!request.complete || response.hasHeader("Connection")) headers.connection = ["close"];
    for (const name of response.getHeaderNames()) response.removeHeader(name); // the API has its own
    response.writeHead(answer.statusCode ?? 502, answer.statusMessage, headers as OutgoingHttpHeaders);
    response.flushHeaders();
    await pipeline(answer, response, { end: false });
    await endWithRequest(response);
  }

  /** A path without that of API_URL, which an API that knows its own place begins with. */
  private beneath(location: string): string {
    return location.startsWith(`${this.base}/`) ? location.slice(this.base.length) : location;
  }

  private unanswered(request: IncomingMessage, response: ServerResponse, error: unknown): void {
    const code = String((error as NodeJS.ErrnoException).code ?? error);
    this.seen(false, code);
    if (NEVER_CONNECTED.test(code) || request.method === "GET" || request.method === "HEAD") {
      const detail = "The API cannot be reached. Nothing was changed; try again.";
      problem(response, 503, "api_unreachable", "The API does not answer", detail);
    } else {
      const detail =
        "The connection to the API broke on the way. Repeat the request with the same Idempotency-Key to find out.";
      problem(response, 502, "outcome_unknown", "It is not known whether this took effect", detail);
    }
  }

  /** Says it once when the API goes, and once when it comes back. */
  private seen(reachable: boolean, reason?: string): void {
    if (reachable === this.reachable) return;
    this.reachable = reachable;
    if (reachable) this.log("INFO", "the API answers again", {});
    else this.log("WARN", "the API does not answer", { api: this.api.origin, reason });
  }
}

function endToEnd({ headersDistinct }: IncomingMessage): Record<string, string[]> {
  const named = (headersDistinct.connection ?? []).join(",").toLowerCase().split(",");
  const dropped = new Set([...HOP_BY_HOP, ...named.map((name) => name.trim())]);
  const kept = Object.entries(headersDistinct).filter(([name]) => !dropped.has(name));
  return Object.fromEntries(kept.map(([name, values]) => [name, values ?? []]));
}

function list(came: string | string[] | undefined, ours: string): string {
  return came === undefined ? ours : `${came}, ${ours}`;
}
