import createClient from "openapi-fetch";
import { syncClock } from "@/_components/time/clock";
import { BASE_PATH } from "@/base-path";
import { ApiDown, failureOf } from "./problem";
import type { paths } from "./schema";

/** Where the API is: always on the page's own origin. */
export const API_BASE = `${BASE_PATH}/api`;

const TIMEOUT_MS = 15_000; // the API answers within 5 s or says that it cannot

async function send(request: Request): Promise<Response> {
  const signal = AbortSignal.any([request.signal, AbortSignal.timeout(TIMEOUT_MS)]);
  try {
    const response = await fetch(request, { signal });
    syncClock(response.headers.get("date"));
    return response;
  } catch (cause) {
    if (request.signal.aborted) throw cause;
    throw new ApiDown("no answer", { cause });
  }
}

export const api = createClient<paths>({ baseUrl: API_BASE, fetch: send });

type Answer<T> = { data?: T; error?: unknown; response: Response };

/** The data of an answer; anything else is thrown as ApiProblem or ApiDown. */
export async function unwrap<T>(answer: Promise<Answer<T>>): Promise<T> {
  const { data, error, response } = await answer;
  if (!response.ok || data === undefined) throw failureOf(error, response);
  return data;
}
