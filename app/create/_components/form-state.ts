import type { Fault, JobType, SubmissionText } from "@/_api/types";
import type { LineFault } from "@/_components/json/json-editor";
import { formatJson } from "@/_components/json/layout";
import { atPointer, parseJson, place } from "@/_components/json/parse";
import { type Pair, pairsFault } from "@/_components/metadata/pairs";
import { visibleLines } from "@/_components/text/visible";

/** What stands in the form: text, as it was typed. Empty means the type's own. */
export type Draft = {
  type: string;
  payload: string;
  queue: string;
  priority: string;
  maxAttempts: string;
  delay: string;
  metadata: (Pair & { id: number })[];
};

export type DraftFaults = Partial<Record<keyof Draft, string>>;

export function newDraft(type: JobType): Draft {
  return {
    type: type.name,
    payload: exampleOf(type),
    queue: "",
    priority: "",
    maxAttempts: "",
    delay: "",
    metadata: [],
  };
}

/** The example with its names in the order of the server: JavaScript would put numbers first. */
export function exampleOf(type: JobType): string {
  return visibleLines(formatJson(type.exampleText ?? JSON.stringify(type.example)));
}

/** The pairs of the form. A row where nothing stands is none. */
function pairsIn({ metadata }: Draft): Pair[] {
  return metadata.filter(({ name, value }) => name !== "" || value !== "");
}

const QUEUE = /^[a-z0-9][a-z0-9_-]{0,62}$/;
const MAX_DELAY_SECONDS = 366 * 24 * 3600 - 1;

function wholeFault(text: string, low: number, high: number): string | undefined {
  if (text === "") return undefined;
  if (!/^-?\d+$/.test(text)) return "A whole number is expected.";
  const value = Number(text);
  return value < low || value > high ? `From ${low} to ${high}.` : undefined;
}

/** What is wrong with the fields, seen without the server. */
export function draftFaults(draft: Draft): DraftFaults {
  const faults: Record<string, string | undefined> = {
    queue: draft.queue === "" || QUEUE.test(draft.queue) ? undefined : "Small letters, digits, - and _ only.",
    priority: wholeFault(draft.priority, -10, 10),
    maxAttempts: wholeFault(draft.maxAttempts, 1, 100),
    delay: wholeFault(draft.delay, 0, MAX_DELAY_SECONDS),
    metadata: pairsFault(pairsIn(draft)),
  };
  return Object.fromEntries(Object.entries(faults).filter(([, fault]) => fault !== undefined));
}

/** The request that the form stands for. */
export function submissionOf(draft: Draft): SubmissionText {
  const pairs = pairsIn(draft).map(({ name, value }) => [name, value]);
  return {
    type: draft.type,
    payload: draft.payload,
    ...(draft.queue ? { queue: draft.queue } : {}),
    ...(draft.priority ? { priority: Number(draft.priority) } : {}),
    ...(draft.maxAttempts ? { max_attempts: Number(draft.maxAttempts) } : {}),
    ...(draft.delay && Number(draft.delay) > 0 ? { delay_seconds: Number(draft.delay) } : {}),
    ...(pairs.length > 0 ? { metadata: Object.fromEntries(pairs) } : {}),
  };
}

const FIELD_OF: Record<string, keyof Draft> = {
  "/type": "type",
  "/queue": "queue",
  "/priority": "priority",
  "/max_attempts": "maxAttempts",
  "/delay_seconds": "delay",
  "/metadata": "metadata",
};

export type ServerFaults = {
  fields: DraftFaults;
  /** By the name of the payload's member that has the fault, or is around it. */
  members: Record<string, string>;
  /** The same by line of the payload. */
  lines: LineFault[];
  rest: string[];
};

/** Brings each fault that the server found to the field that it points at; one in the payload to its line as well. */
export function sortFaults(faults: Fault[], payload: string): ServerFaults {
  const sorted: ServerFaults = { fields: {}, members: {}, lines: [], rest: [] };
  const parsed = parseJson(payload);
  for (const { detail, pointer = "", parameter } of faults) {
    const field = FIELD_OF[pointer];
    if (field) sorted.fields[field] = `${capital(detail)}.`;
    else if (pointer.startsWith("/metadata/"))
      sorted.fields.metadata = `${memberName(pointer.slice("/metadata/".length))} ${detail}.`;
    else if (parsed.ok && (pointer === "/payload" || pointer.startsWith("/payload/"))) {
      const inside = pointer.slice("/payload".length);
      const { line } = place(payload, atPointer(parsed.root, inside).start);
      sorted.lines.push({ line, text: inside ? `${inside.slice(1)} ${detail}.` : `${capital(detail)}.` });
      const [, first, ...deeper] = inside.split("/");
      if (first !== undefined) {
        const text = deeper.length > 0 ? `${deeper.join("/")} ${detail}.` : `${capital(detail)}.`;
        sorted.members[memberName(first)] ??= text;
      }
    } else sorted.rest.push(`${pointer || parameter || ""} ${detail}.`.trim());
  }
  return sorted;
}

/** A part of a JSON Pointer, as it is written in JSON. */
function memberName(part: string): string {
  return part.replaceAll("~1", "/").replaceAll("~0", "~");
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
