import { describe, expect, it } from "vitest";
import { findLines, pieces } from "./find";
import { highlight } from "./highlight";
import { formatJson, formatPath, layoutJson, setMember } from "./layout";

describe("formatJson", () => {
  it("moves white space only", () => {
    const text =
      '{"n":12345678901234567890,"x":1.00,"e":[1E5,{}, []],"s":"a\\u0041 \\"q\\" : {","k\\"ey":{"deep":null}}';
    expect(formatJson(text)).toBe(
      [
        "{",
        '  "n": 12345678901234567890,',
        '  "x": 1.00,',
        '  "e": [',
        "    1E5,",
        "    {},",
        "    []",
        "  ],",
        '  "s": "a\\u0041 \\"q\\" : {",',
        '  "k\\"ey": {',
        '    "deep": null',
        "  }",
        "}",
      ].join("\n"),
    );
    expect(formatJson(formatJson(text))).toBe(formatJson(text));
  });

  it("leaves alone what is no JSON", () => {
    expect(formatJson('{"a":\n oops')).toBe('{"a":\n oops');
  });
});

describe("setMember", () => {
  it("puts one value in and touches nothing else", () => {
    const text = '{ "big": 12345678901234567890,\n\t"a" : 1 }';
    expect(setMember(text, "a", "2.50")).toBe('{ "big": 12345678901234567890,\n\t"a" : 2.50 }');
    expect(setMember(text, "b", '"x"')).toBe('{ "big": 12345678901234567890,\n\t"a" : 1,\n  "b": "x" }');
    expect(setMember("{}", "a", "1")).toBe('{\n  "a": 1\n}');
  });

  it("takes a member out with its comma", () => {
    expect(setMember('{"a": 1, "b": 2, "c": 3}', "a", undefined)).toBe('{"b": 2, "c": 3}');
    expect(setMember('{"a": 1, "b": 2, "c": 3}', "b", undefined)).toBe('{"a": 1, "c": 3}');
    expect(setMember('{"a": 1, "b": 2}', "b", undefined)).toBe('{"a": 1}');
    expect(setMember('{"a": 1}', "a", undefined)).toBe("{}");
    expect(setMember('{"a": 1}', "x", undefined)).toBe('{"a": 1}');
  });

  it("does not touch what is no object", () => {
    expect(setMember("[1]", "a", "1")).toBe("[1]");
    expect(setMember('{"a":', "a", "1")).toBe('{"a":');
  });
});

describe("highlight", () => {
  it("never loses or adds a character", () => {
    for (const text of ['{"a": [1, "b", true], "c": ', "<script>", '"open', "", '{"k":"v"}\n']) {
      expect(
        highlight(text)
          .map((token) => token.text)
          .join(""),
      ).toBe(text);
    }
  });
});

describe("layoutJson", () => {
  it("keeps the order of names, and says where each value is", () => {
    const text = '{"b":1,"10":{"2":[true,{}],"1":"x"},"a b":null}';
    const lines = layoutJson(text);
    expect(lines.map(({ path }) => path && formatPath(path))).toEqual([
      ".",
      ".b",
      '."10"',
      '."10"."2"',
      '."10"."2"[0]',
      '."10"."2"[1]',
      undefined,
      '."10"."1"',
      undefined,
      '."a b"',
      undefined,
    ]);
    expect(lines[3]).toMatchObject({ close: 6, members: 2 });
    expect(text.slice(lines[2]?.start, lines[2]?.end)).toBe('{"2":[true,{}],"1":"x"}');
    expect(formatPath([0, "a"])).toBe(".[0].a");
  });
});

describe("find", () => {
  const lines = layoutJson('{"to":"Ada\u202e@example.com","n":[1,"ADA"]}');

  it("finds what is shown, escapes as well", () => {
    expect(findLines(lines, "ada")).toEqual([1, 4]);
    expect(findLines(lines, "\\u202E@")).toEqual([1]);
    expect(findLines(lines, "\u202e")).toEqual([1]);
    expect(findLines(lines, "")).toEqual([]);
  });

  it("marks it, over the borders of tokens too, and loses nothing", () => {
    const tokens = lines[1]?.tokens ?? [];
    const shown = pieces(tokens, '": "ada');
    expect(shown.map(({ text }) => text).join("")).toBe('"to": "Ada\\u202e@example.com",');
    expect(
      shown
        .filter(({ hit }) => hit)
        .map(({ text }) => text)
        .join(""),
    ).toBe('": "Ada');
  });
});
