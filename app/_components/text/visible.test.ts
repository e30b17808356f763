import { describe, expect, it } from "vitest";
import { firstUnseen, visible, visibleLines } from "./visible";

/** All characters of a Unicode category. */
function category(name: string): string[] {
  const pattern = new RegExp(`^\\p{${name}}$`, "u");
  const found: string[] = [];
  for (let code = 0; code <= 0x10ffff; code++) {
    const char = String.fromCodePoint(code);
    if (pattern.test(char)) found.push(char);
  }
  return found;
}

const PRINTABLE = /^[\x20-\x7e]*$/;

describe("visible", () => {
  // The least of each: so many are in Unicode 15. Newer versions have more.
  for (const [name, least] of [
    ["Cc", 65],
    ["Cf", 170],
    ["Zl", 1],
    ["Zp", 1],
    ["Cs", 2048],
    ["Co", 137_468],
  ] as const) {
    it(`shows each character of category ${name} as an escape`, () => {
      const chars = category(name);
      expect(chars.length).toBeGreaterThanOrEqual(least);
      const bad = chars.filter((char) => {
        const shown = visible(`a${char}b`);
        return !PRINTABLE.test(shown) || JSON.parse(`"${shown}"`) !== `a${char}b`;
      });
      expect(bad.map((char) => char.codePointAt(0)?.toString(16))).toEqual([]);
    });
  }

  it("names those that people are deceived with", () => {
    expect(visible("gpj.\u202eexe")).toBe("gpj.\\u202eexe");
    expect(visible("a\u200bb\u2066c\u2069\ufeff")).toBe("a\\u200bb\\u2066c\\u2069\\ufeff");
    expect(visible("\0\u001b[31m")).toBe("\\u0000\\u001b[31m");
    expect(visible("one\ntwo\tthree\u2028four\u2029")).toBe("one\\ntwo\\tthree\\u2028four\\u2029");
    expect(visible("tag\u{e0041}, filler\u3164, lone\ud800")).toBe(
      "tag\\udb40\\udc41, filler\\u3164, lone\\ud800",
    );
    expect(visible("\u{e0101}\u{ffff}")).toBe("\\udb40\\udd01\\uffff");
  });

  it("leaves alone what has a picture", () => {
    for (const text of [
      "Ünïcode, 日本語, עברית, العربية",
      "❤️ ☎︎ 👍🏽",
      "e\u0301",
      "no\u00a0break",
      "\\u202e",
      "",
    ]) {
      expect(visible(text)).toBe(text);
      expect(visibleLines(text)).toBe(text);
    }
  });
});

describe("firstUnseen", () => {
  it("tells where the first one is, line ends and tabs apart", () => {
    expect(firstUnseen("a\r\n\tb\u200bc\u202e")).toEqual({ offset: 5, escape: "\\u200b" });
    expect(firstUnseen("a\n\tb")).toBeUndefined();
  });
});

describe("visibleLines", () => {
  it("keeps lines and tabs, and nothing else that is unseen", () => {
    expect(visibleLines("a\r\n\tb\u202ec\n\u001b[0m\rd")).toBe("a\n\tb\\u202ec\n\\u001b[0m\\rd");
  });
});
