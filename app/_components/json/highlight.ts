import type { JsonToken } from "./layout";

const TOKEN =
  /(?<key>"(?:[^"\\\n]|\\.)*"(?=\s*:))|(?<string>"(?:[^"\\\n]|\\.)*"?)|(?<number>-?\d[\d.eE+-]*)|(?<literal>true|false|null)/g;

/** The text in coloured pieces, whether it is JSON yet or still being typed. Joined they are the text again. */
export function highlight(text: string): JsonToken[] {
  const tokens: JsonToken[] = [];
  let at = 0;
  for (const match of text.matchAll(TOKEN)) {
    if (match.index > at) tokens.push({ kind: "mark", text: text.slice(at, match.index) });
    const groups = match.groups ?? {};
    const kind = groups.key ? "key" : groups.string ? "string" : groups.number ? "number" : "literal";
    tokens.push({ kind, text: match[0] });
    at = match.index + match[0].length;
  }
  if (at < text.length) tokens.push({ kind: "mark", text: text.slice(at) });
  return tokens;
}

export const TOKEN_CLASS: Record<JsonToken["kind"], string> = {
  key: "text-ink",
  string: "text-green",
  number: "text-blue",
  literal: "text-violet",
  mark: "text-ink-faint",
};
