import { type JsonNode, member, parseJson } from "./parse";

// Layout and edits of JSON text. White space changes, the values' own text never does.

export type JsonToken = { kind: "key" | "string" | "number" | "literal" | "mark"; text: string };
export type JsonLine = { indent: number; tokens: JsonToken[] };

/** The text as lines of tokens, two spaces a level. Text that is no JSON comes back as it is, line by line. */
export function layoutJson(text: string): JsonLine[] {
  const parsed = parseJson(text);
  if (!parsed.ok)
    return text.split("\n").map((line) => ({ indent: 0, tokens: [{ kind: "mark", text: line }] }));
  const lines: JsonLine[] = [];
  write(text, parsed.root, 0, [], "", lines);
  return lines;
}

/** The text laid out anew. */
export function formatJson(text: string): string {
  return layoutJson(text)
    .map((line) => "  ".repeat(line.indent) + line.tokens.map((token) => token.text).join(""))
    .join("\n");
}

function write(
  text: string,
  node: JsonNode,
  indent: number,
  lead: JsonToken[],
  tail: string,
  lines: JsonLine[],
) {
  const children = node.kind === "object" ? node.members : node.kind === "array" ? node.items : [];
  const [open, close] = node.kind === "object" ? ["{", "}"] : ["[", "]"];
  if (node.kind !== "object" && node.kind !== "array") {
    const source = { kind: node.kind, text: text.slice(node.start, node.end) };
    lines.push({ indent, tokens: [...lead, source, ...mark(tail)] });
    return;
  }
  if (children.length === 0) {
    lines.push({ indent, tokens: [...lead, ...mark(open + close + tail)] });
    return;
  }
  lines.push({ indent, tokens: [...lead, ...mark(open)] });
  children.forEach((child, i) => {
    const comma = i < children.length - 1 ? "," : "";
    if ("key" in child) {
      const key = text.slice(child.start, keyEnd(text, child.start));
      write(text, child.value, indent + 1, [{ kind: "key", text: key }, ...mark(": ")], comma, lines);
    } else write(text, child, indent + 1, [], comma, lines);
  });
  lines.push({ indent, tokens: mark(close + tail) });
}

function mark(text: string): JsonToken[] {
  return text ? [{ kind: "mark", text }] : [];
}

/** Where the name that begins at start ends: behind its closing quote. */
function keyEnd(text: string, start: number): number {
  let i = start + 1;
  while (text[i] !== '"') i += text[i] === "\\" ? 2 : 1;
  return i + 1;
}

/**
 * The text of an object with one member set to a JSON source, or taken out where the source is undefined. All else
 * stays as it was written. Text that is no object comes back unchanged.
 */
export function setMember(text: string, key: string, source: string | undefined): string {
  const parsed = parseJson(text);
  if (!parsed.ok || parsed.root.kind !== "object") return text;
  const { members, start, end } = parsed.root;
  const old = member(parsed.root, key);
  if (source !== undefined) {
    if (old) return text.slice(0, old.start) + source + text.slice(old.end);
    const last = members.at(-1);
    const entry = `${JSON.stringify(key)}: ${source}`;
    if (!last) return `${text.slice(0, start)}{\n  ${entry}\n}${text.slice(end)}`;
    return `${text.slice(0, last.value.end)},\n  ${entry}${text.slice(last.value.end)}`;
  }
  const index = members.findIndex((m) => m.key === key);
  const [before, self, after] = [members[index - 1], members[index], members[index + 1]];
  if (!self) return text;
  if (after) return text.slice(0, self.start) + text.slice(after.start);
  if (before) return text.slice(0, before.value.end) + text.slice(self.value.end);
  return `${text.slice(0, start)}{}${text.slice(end)}`;
}
