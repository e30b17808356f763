import { visible } from "../text/visible";
import type { JsonLine, JsonToken } from "./layout";

// Searching and colouring lines of JSON as they are shown: with escapes in the place of what cannot be seen.

export type Piece = { kind: JsonToken["kind"]; text: string; hit: boolean };

/** The lines that hold a text, in capital or small letters. */
export function findLines(lines: readonly JsonLine[], wanted: string): number[] {
  const needle = visible(wanted).toLowerCase();
  if (needle === "") return [];
  return lines.flatMap((line, i) => {
    const text = visible(line.tokens.map((token) => token.text).join("")).toLowerCase();
    return text.includes(needle) ? i : [];
  });
}

/** Tokens in pieces, those that hold the wanted text marked. Joined they are what visible() makes of the tokens. */
export function pieces(tokens: readonly JsonToken[], wanted: string): Piece[] {
  const shown = tokens.map(({ kind, text }) => ({ kind, text: visible(text) }));
  const needle = visible(wanted).toLowerCase();
  if (needle === "") return shown.map((token) => ({ ...token, hit: false }));
  // Only ASCII and the like keep their length in small letters; a hit that would be drawn askew is not drawn.
  const whole = shown.map(({ text }) => text).join("");
  const low = whole.toLowerCase();
  if (low.length !== whole.length) return shown.map((token) => ({ ...token, hit: false }));
  const hits: [number, number][] = [];
  for (let at = low.indexOf(needle); at >= 0; at = low.indexOf(needle, at + needle.length))
    hits.push([at, at + needle.length]);
  const list: Piece[] = [];
  let start = 0;
  let next = 0;
  for (const { kind, text } of shown) {
    const end = start + text.length;
    let at = start;
    while (at < end) {
      while (hits[next] && (hits[next]?.[1] ?? 0) <= at) next++;
      const [from, to] = hits[next] ?? [end, end];
      const hit = from <= at;
      const stop = Math.min(end, hit ? to : from);
      list.push({ kind, text: whole.slice(at, stop), hit });
      at = stop;
    }
    start = end;
  }
  return list;
}
