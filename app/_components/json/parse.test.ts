import { describe, expect, it } from "vitest";
import { atPointer, memberSource, parseJson, place } from "./parse";

function faultOf(text: string) {
  const result = parseJson(text);
  return result.ok ? undefined : result.fault;
}

describe("parseJson", () => {
  it("takes what JSON takes", () => {
    for (const text of [
      "{}",
      ' [1, -0.5e+3, "a\\u00e9\\n", true, null] ',
      '"x"',
      '{"a":{"b":[{}]}}',
      "0",
      '{"__proto__":1}',
    ]) {
      expect(faultOf(text), text).toBeUndefined();
      expect(() => JSON.parse(text)).not.toThrow();
    }
  });

  it("names line and column of the first fault", () => {
    const cases: [string, number, number, RegExp][] = [
      ["", 1, 1, /object is expected/],
      ['{\n  "a": 1,\n}', 3, 1, /comma too many/],
      ["{\n  'a': 1\n}", 2, 3, /double quotes/],
      ['{"a": 1 "b": 2}', 1, 9, /comma or } is missing/],
      ['{"a" 1}', 1, 6, /colon/],
      ['{"a": 01}', 1, 7, /not a number/],
      ['{"a": NaN}', 1, 7, /value is expected/],
      ['{"a": 1} x', 1, 10, /after the end/],
      ['{"a": "b\n"}', 1, 7, /not closed/],
      ['{"a": "\\x"}', 1, 7, /escape/],
      ['{"a": 1, "a": 2}', 1, 10, /twice/],
      ["[1,", 1, 4, /too early/],
      ['{"a":', 1, 6, /too early/],
    ];
    for (const [text, line, column, message] of cases) {
      expect(faultOf(text), text).toMatchObject({ line, column, message: expect.stringMatching(message) });
      if (!/"a".*"a"/.test(text)) expect(() => JSON.parse(text), text).toThrow();
    }
  });

  it("survives deep and long texts", () => {
    expect(faultOf("[".repeat(100_000))?.message).toMatch(/deeply/);
    expect(faultOf(`{"a":"${"x".repeat(300_000)}"}`)).toBeUndefined();
    expect(faultOf(`{"a":"${"x".repeat(300_000)}`)?.message).toMatch(/not closed/);
  });
});

describe("places in a text", () => {
  const text = '{\n  "a": [10, {"b/c": 2}]\n}';

  it("follows JSON Pointers, as far as they lead", () => {
    const parsed = parseJson(text);
    if (!parsed.ok) throw new Error("no JSON");
    const at = (pointer: string) => {
      const node = atPointer(parsed.root, pointer);
      return text.slice(node.start, node.end);
    };
    expect(at("/a/1/b~1c")).toBe("2");
    expect(at("/a/0")).toBe("10");
    expect(at("/a/7")).toBe('[10, {"b/c": 2}]');
    expect(at("")).toBe(text);
    expect(place(text, text.indexOf("10"))).toEqual({ line: 2, column: 9 });
  });

  it("gives the source of a member, digits and all", () => {
    const job = '{"payload":{"n":12345678901234567890,"x":1.00},"result":null}';
    expect(memberSource(job, "payload")).toBe('{"n":12345678901234567890,"x":1.00}');
    expect(memberSource(job, "result")).toBe("null");
    expect(memberSource(job, "nothing")).toBeUndefined();
    expect(memberSource("no json", "payload")).toBeUndefined();
  });
});
