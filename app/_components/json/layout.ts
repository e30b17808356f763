import { type JsonNode, member, parseJson } from "./parse";

// Layout and edits of JSON text. White space changes, the values' own text never does.

export type JsonToken = { kind: "key" | "string" | "number" | "literal" | "mark"; text: string };
/** Names and places, from the root to a value. */
export type JsonPath = readonly (string | number)[];
export type JsonLine = {
  indent: number;
  tokens: JsonToken[];
  /** The value that begins on the line; undefined on a line that only closes one, and where the text is no JSON. */
  path?: JsonPath;
  /** Where the source of that value is in the text. */
  start?: number;
  end?: number;
  /** The line that closes the object or array which opens here, and how many members it has. */
  close?: number;
  members?: number;
};

/** The text as lines of tokens, two spaces a level. Text that is no JSON comes back as it is, line by line. */
export function layoutJson(text: string): JsonLine[] {
  const parsed = parseJson(text);
  if (!parsed.ok)
    return text.split("\n").map((line) => ({ indent: 0, tokens: [{ kind: "mark", text: line }] }));
  const lines: JsonLine[] = [];
  write(text, parsed.root, [], [], "", lines);
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
  path: JsonPath,
  lead: JsonToken[],
  tail: string,
  lines: JsonLine[],
) {
  const children = node.kind === "object" ? node.members : node.kind === "array" ? node.items : [];
  const [open, close] = node.kind === "object" ? ["{", "}"] : ["[", "]"];
  const indent = path.length;
  const { start, end } = node;
  if (node.kind !== "object" && node.kind !== "array") {
    const source = { kind: node.kind, text: text.slice(start, end) };
    lines.push({ indent, path, start, end, tokens: [...lead, source, ...mark(tail)] });
    return;
  }
  if (children.length === 0) {
    lines.push({ indent, path, start, end, tokens: [...lead, ...mark(open + close + tail)] });
    return;
  }
  const line: JsonLine = { indent, path, start, end, tokens: [...lead, ...mark(open)] };
  lines.push(line);
  children.forEach((child, i) => {
    const comma = i < children.length - 1 ? "," : "";
    if ("key" in child) {
      const key = text.slice(child.start, keyEnd(text, child.start));
      const name: JsonToken[] = [{ kind: "key", text: key }, ...mark(": ")];
      write(text, child.value, [...path, child.key], name, comma, lines);
    } else write(text, child, [...path, i], [], comma, lines);
  });
  line.close = lines.length;
  line.members = children.length;
  lines.push({ indent, tokens: mark(close + tail) });
}

/** A path as jq takes it: .items[0]."a name" */
export function formatPath(path: JsonPath): string {
  const steps = path.map((step) => {
    if (typeof step === "number") return `[${step}]`;
    return /^[A-Za-z_]\w*$/.test(step) ? `.${step}` : `.${JSON.stringify(step)}`;
  });
  const text = steps.join("");
  return text.startsWith(".") ? text : `.${text}`;
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
