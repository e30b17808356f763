import { describe, expect, it } from "vitest";
import { highlight } from "./highlight";
import { formatJson, setMember } from "./layout";

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
