// The metadata of a job: pairs of text. The limits are those of the API.

export type Pair = { name: string; value: string };

export const MAX_PAIRS = 16;
export const MAX_BYTES = 1024; // of all names and values, in UTF-8

/** A pair as one text, as the API's filter wants it: a backslash keeps a colon in the name. */
export function formatPair({ name, value }: Pair): string {
  return `${name.replaceAll("\\", "\\\\").replaceAll(":", "\\:")}:${value}`;
}

const PAIR = /^((?:[^\\:]|\\[\\:])*):(.*)$/s;

/** Reads what formatPair has written; undefined for anything else. */
export function parsePair(text: string): Pair | undefined {
  const [, name, value] = PAIR.exec(text) ?? [];
  if (name === undefined || value === undefined) return undefined;
  return { name: name.replace(/\\(.)/gs, "$1"), value };
}

/** The pairs of a job. */
export function pairsOf(metadata: Record<string, string> | null | undefined): Pair[] {
  return Object.entries(metadata ?? {}).map(([name, value]) => ({ name, value }));
}

/** What the API would refuse. */
export function pairsFault(pairs: readonly Pair[]): string | undefined {
  if (pairs.length > MAX_PAIRS) return `At most ${MAX_PAIRS} pairs.`;
  if (pairs.some(({ name }) => name === "")) return "Each pair needs a name.";
  const names = pairs.map(({ name }) => name);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) return `The name ${twice} is there twice.`;
  const text = pairs.map(({ name, value }) => name + value).join("");
  if (text.includes("\0")) return "The character U+0000 is not allowed.";
  const bytes = new TextEncoder().encode(text).length;
  return bytes > MAX_BYTES
    ? `At most ${MAX_BYTES} bytes of names and values; these are ${bytes}.`
    : undefined;
}
