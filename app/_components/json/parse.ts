// JSON as text. Payloads and results are never turned into JavaScript values: a number such as
// 12345678901234567890 would come out changed. This parser keeps the place of every part instead, so that the text
// can be checked, laid out, pointed into and edited while each number and string stays as it was written.

export type JsonMember = { key: string; start: number; value: JsonNode };

export type JsonNode = { start: number; end: number } & (
  | { kind: "object"; members: JsonMember[] }
  | { kind: "array"; items: JsonNode[] }
  | { kind: "string"; text: string }
  | { kind: "number" }
  | { kind: "literal" }
);

export type JsonFault = { message: string; offset: number; line: number; column: number };
export type JsonResult = { ok: true; root: JsonNode } | { ok: false; fault: JsonFault };

const MAX_DEPTH = 512; // far past what the API takes; guards this parser's own stack
const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
// biome-ignore lint/suspicious/noControlCharactersInRegex: JSON forbids them in strings
const STRING = /"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y;
const LITERAL = /true|false|null/y;

class Fault extends Error {
  constructor(
    message: string,
    readonly offset: number,
  ) {
    super(message);
  }
}

class Parser {
  private at = 0;

  constructor(private readonly text: string) {}

  document(): JsonNode {
    this.space();
    if (this.at >= this.text.length) throw new Fault("Nothing here yet: a JSON object is expected", 0);
    const root = this.value(1);
    this.space();
    if (this.at < this.text.length) throw new Fault("There is more after the end of the value", this.at);
    return root;
  }

  private space() {
    while (" \t\n\r".includes(this.text[this.at] ?? "x")) this.at++;
  }

  private match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.at;
    const found = pattern.exec(this.text)?.[0];
    if (found !== undefined) this.at += found.length;
    return found;
  }

  private value(depth: number): JsonNode {
    if (depth > MAX_DEPTH) throw new Fault("Nested too deeply", this.at);
    const start = this.at;
    const char = this.text[start];
    if (char === "{") return this.object(depth);
    if (char === "[") return this.array(depth);
    if (char === '"') {
      const text = this.string();
      return { kind: "string", text, start, end: this.at };
    }
    if (this.match(NUMBER) !== undefined) {
      if (/[\w.]/.test(this.text[this.at] ?? "")) throw new Fault("This is not a number in JSON", start);
      return { kind: "number", start, end: this.at };
    }
    if (this.match(LITERAL) !== undefined) return { kind: "literal", start, end: this.at };
    if (char === undefined) throw new Fault("The text ends too early", start);
    if (char === "'") throw new Fault("Strings are written with double quotes", start);
    if (char === "}" || char === "]") throw new Fault(`A value is expected before ${char}`, start);
    throw new Fault("A value is expected here", start);
  }

  private string(): string {
    const start = this.at;
    const raw = this.match(STRING);
    if (raw !== undefined) return String(JSON.parse(raw));
    const rest = /^"(?:[^"\\\n]|\\.)*/.exec(this.text.slice(start))?.[0] ?? "";
    const closed = this.text[start + rest.length] === '"';
    throw new Fault(
      closed ? "An escape or a control character in this string is not JSON" : "This string is not closed",
      start,
    );
  }

  private object(depth: number): JsonNode {
    const start = this.at++;
    const members: JsonMember[] = [];
    const seen = new Set<string>();
    this.space();
    while (this.text[this.at] !== "}") {
      if (members.length > 0) this.comma("}");
      const keyStart = this.at;
      if (this.text[keyStart] !== '"') {
        throw new Fault(
          this.text[keyStart] === "}" ? "A comma too many before }" : "A name in double quotes is expected",
          keyStart,
        );
      }
      const key = this.string();
      if (seen.has(key)) throw new Fault(`The name ${JSON.stringify(key)} is here twice`, keyStart);
      seen.add(key);
      this.space();
      if (this.text[this.at] !== ":") throw new Fault("A colon is missing after the name", this.at);
      this.at++;
      this.space();
      members.push({ key, start: keyStart, value: this.value(depth + 1) });
      this.space();
    }
    this.at++;
    return { kind: "object", members, start, end: this.at };
  }

  private array(depth: number): JsonNode {
    const start = this.at++;
    const items: JsonNode[] = [];
    this.space();
    while (this.text[this.at] !== "]") {
      if (items.length > 0) this.comma("]");
      if (this.text[this.at] === "]") throw new Fault("A comma too many before ]", this.at);
      items.push(this.value(depth + 1));
      this.space();
    }
    this.at++;
    return { kind: "array", items, start, end: this.at };
  }

  private comma(close: string) {
    if (this.at >= this.text.length) throw new Fault("The text ends too early", this.at);
    if (this.text[this.at] !== ",") throw new Fault(`A comma or ${close} is missing here`, this.at);
    this.at++;
    this.space();
  }
}

/** Reads a JSON text, or says where it stops being one. */
export function parseJson(text: string): JsonResult {
  try {
    return { ok: true, root: new Parser(text).document() };
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    return {
      ok: false,
      fault: { message: error.message, offset: error.offset, ...place(text, error.offset) },
    };
  }
}

/** Line and column of an offset, both counted from 1. */
export function place(text: string, offset: number): { line: number; column: number } {
  const before = text.slice(0, offset);
  return { line: before.split("\n").length, column: offset - before.lastIndexOf("\n") };
}

/** The value of an object's member. */
export function member(node: JsonNode | undefined, key: string): JsonNode | undefined {
  return node?.kind === "object" ? node.members.find((m) => m.key === key)?.value : undefined;
}

/** The part that a JSON Pointer names, or the nearest part around it. */
export function atPointer(root: JsonNode, pointer: string): JsonNode {
  let node = root;
  for (const raw of pointer.split("/").slice(1)) {
    const step = raw.replaceAll("~1", "/").replaceAll("~0", "~");
    const next = node.kind === "array" ? node.items[Number(step)] : member(node, step);
    if (!next) return node;
    node = next;
  }
  return node;
}

/** The source of an object's member, as written; undefined where there is none. */
export function memberSource(text: string, key: string): string | undefined {
  const parsed = parseJson(text);
  const node = parsed.ok ? member(parsed.root, key) : undefined;
  return node && text.slice(node.start, node.end);
}
