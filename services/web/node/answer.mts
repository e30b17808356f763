import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";

const LINGER_MS = 2_000;

/** Answers in plain text that this is no request for us, and ends the connection. */
export function refuse(response: ServerResponse, status: number, why: string): void {
  send(response, status, { "Content-Type": "text/plain; charset=utf-8", Connection: "close" }, `${why}\n`);
}

/** Answers in the form that the API has for errors. */
export function problem(
  response: ServerResponse,
  status: number,
  kind: string,
  title: string,
  detail: string,
) {
  const headers: OutgoingHttpHeaders = {
    "Content-Type": "application/problem+json",
    "Cache-Control": "no-store",
  };
  if (status === 503) headers["Retry-After"] = "2";
  if (!response.req.complete) headers.Connection = "close";
  send(
    response,
    status,
    headers,
    `${JSON.stringify({ type: `urn:windlass:problem:${kind}`, title, status, detail })}\n`,
  );
}

function send(response: ServerResponse, status: number, headers: OutgoingHttpHeaders, body: string): void {
  response.writeHead(status, { ...headers, "Content-Length": Buffer.byteLength(body) });
  response.write(body);
  void endWithRequest(response);
}

/**
 * Ends an answer that may have come before the whole request was there. Who is still sending would lose the answer if
 * the connection were closed under it, so what still comes is read for a while, and forgotten.
 */
export async function endWithRequest(response: ServerResponse): Promise<void> {
  const request = response.req;
  if (!request.complete) {
    request.unpipe();
    request.resume();
    const sent = new Promise((resolve) => request.once("end", resolve).once("close", resolve));
    await Promise.race([sent, sleep(LINGER_MS, undefined, { ref: false })]);
  }
  response.end();
}

export function hasBody({ headers }: IncomingMessage): boolean {
  return headers["transfer-encoding"] !== undefined || (headers["content-length"] ?? "0") !== "0";
}

/** Whether Accept-Encoding names gzip and does not rule it out. */
export function takesGzip({ headers }: IncomingMessage): boolean {
  const accepted = String(headers["accept-encoding"] ?? "").split(",");
  const gzip = accepted
    .map((part) => part.split(";"))
    .find(([coding]) => coding?.trim().toLowerCase() === "gzip");
  return gzip !== undefined && !/^\s*q=0(\.0*)?\s*$/.test(gzip[1] ?? "");
}
