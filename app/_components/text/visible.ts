// Text from jobs is text of strangers. Some characters have no picture, and some turn the text around them: a name
// with U+202E reads backwards, one with U+200B looks like another name. Whatever is shown of a job goes through here.
// What is copied, filtered by or sent stays the original.

/**
 * Characters that nobody can see or that change how others look: controls, formats (direction marks, joiners, tags),
 * line and paragraph separators, lone surrogates, private use, noncharacters and fillers. Not the two selectors that
 * say whether a sign is drawn as an emoji.
 */
const UNSEEN =
  /(?![\u{fe0e}\u{fe0f}])[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}\p{Co}\p{Default_Ignorable_Code_Point}\p{Noncharacter_Code_Point}]/gu;

const SHORT: Record<string, string> = { "\n": "\\n", "\r": "\\r", "\t": "\\t" };

/** A character as JSON would write it: \u202e, and \udb40\udc01 for one past U+FFFF. */
function escaped(char: string): string {
  const short = SHORT[char];
  if (short) return short;
  let text = "";
  for (let i = 0; i < char.length; i++) text += `\\u${char.charCodeAt(i).toString(16).padStart(4, "0")}`;
  return text;
}

/** The text on one line, with what cannot be seen written as escapes. */
export function visible(text: string): string {
  return text.replace(UNSEEN, escaped);
}

/** The same for text in lines, such as a stack: line ends and tabs stay. */
export function visibleLines(text: string): string {
  return text
    .replace(/\r\n/g, "\n")
    .replace(UNSEEN, (char) => (char === "\n" || char === "\t" ? char : escaped(char)));
}

/** The first character of a text in lines that cannot be seen: where it is, and its escape. */
export function firstUnseen(text: string): { offset: number; escape: string } | undefined {
  for (const { 0: char, index } of text.matchAll(UNSEEN)) {
    if (!"\n\r\t".includes(char)) return { offset: index, escape: escaped(char) };
  }
  return undefined;
}
