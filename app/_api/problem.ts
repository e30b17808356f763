import type { Fault, Problem } from "./types";

/** The API refused: it answered with a problem. */
export class ApiProblem extends Error {
  override name = "ApiProblem";

  constructor(readonly problem: Problem) {
    super(problem.detail || problem.title);
  }

  get status(): number {
    return this.problem.status;
  }

  /** What is wrong, for programs: the end of the problem's type. */
  get kind(): string {
    return this.problem.type.slice(this.problem.type.lastIndexOf(":") + 1);
  }

  get faults(): Fault[] {
    return this.problem.errors ?? [];
  }
}

/** Nobody answered, or somebody in between who is not the API. */
export class ApiDown extends Error {
  override name = "ApiDown";
}

export function isNotFound(error: unknown): boolean {
  return error instanceof ApiProblem && (error.status === 404 || error.status === 400);
}

/** An error as a sentence. */
export function sentenceOf(error: unknown): string {
  if (error instanceof ApiProblem) return error.message;
  if (error instanceof ApiDown) return "The API does not answer.";
  return "Something went wrong on this page.";
}

function isProblem(value: unknown): value is Problem {
  return (
    typeof value === "object" &&
    value !== null &&
    "type" in value &&
    typeof value.type === "string" &&
    "title" in value &&
    "status" in value &&
    typeof value.status === "number"
  );
}

/**
 * Turns what came instead of data into an error. A 5xx that is no problem means that the API is down, and so does the
 * word of the web server between the page and the API.
 */
export function failureOf(body: unknown, response: Response): Error {
  if (isProblem(body) && !body.type.endsWith(":api_unreachable")) return new ApiProblem(body);
  if (response.status >= 500) return new ApiDown(`HTTP ${response.status}`);
  return new ApiProblem({
    type: "urn:windlass:problem:unknown",
    title: "The request was refused",
    status: response.status,
    detail: `The answer was HTTP ${response.status}, without a reason.`,
  });
}
