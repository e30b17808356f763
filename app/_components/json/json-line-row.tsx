import { ChevronRight } from "lucide-react";
import { count, formatNumber } from "../numbers";
import { cx } from "../ui/cx";
import { pieces } from "./find";
import { TOKEN_CLASS } from "./highlight";
import type { JsonLine, JsonToken } from "./layout";

export const LONG = 2000; // characters of one value that are shown at first

/** Whether a line holds a value that begins cut. */
export function isLong(line: JsonLine | undefined): boolean {
  return line?.tokens.some(({ text }) => text.length > LONG) ?? false;
}

type JsonLineRowProps = {
  id: string;
  line: JsonLine;
  /** The line that closes what is opened here, or the line itself. */
  last: JsonLine | undefined;
  folded: boolean;
  whole: boolean;
  wrap: boolean;
  /** The keys are on it. */
  here: boolean;
  wanted: string;
  measured: { ref: (element: Element | null) => void; "data-index": number } | undefined;
  onHere: () => void;
  onFold: () => void;
  onWhole: () => void;
};

/** One line of a JSON view. The keys are the view's: a row cannot have the focus. */
export function JsonLineRow(props: JsonLineRowProps) {
  const { id, line, last, folded, whole, wrap, here, wanted, measured, onHere, onFold, onWhole } = props;
  const opens = line.close !== undefined;
  const tokens = opens && folded ? [...line.tokens, dots(line), ...(last?.tokens ?? [])] : line.tokens;
  const cut = !whole && isLong(line);
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: the tree has the focus and the keys
    // biome-ignore lint/a11y/useKeyWithClickEvents: the tree's keys do the same
    <div
      {...measured}
      id={id}
      role={line.path ? "treeitem" : "none"}
      {...(line.path ? { "aria-level": line.indent + 1, "aria-selected": here } : {})}
      {...(opens ? { "aria-expanded": !folded } : {})}
      data-here={here || undefined}
      onClick={onHere}
      className={cx(
        "relative flex w-fit min-w-full pr-4 pl-6 group-focus-visible/tree:data-here:bg-selected",
        here && "bg-hover",
      )}
    >
      {opens && (
        <button
          type="button"
          tabIndex={-1}
          aria-label={folded ? "Unfold" : "Fold"}
          onClick={onFold}
          className="absolute left-0 flex h-5 w-6 items-center justify-center text-ink-faint hover:text-ink"
        >
          <ChevronRight className={cx("size-3.5", !folded && "rotate-90")} />
        </button>
      )}
      <span
        className={cx(
          "min-w-0",
          wrap || whole ? "w-0 grow break-words whitespace-pre-wrap" : "whitespace-pre",
        )}
        style={{ paddingLeft: `${line.indent * 2 + 2}ch`, textIndent: "-2ch" }}
      >
        {pieces(cut ? tokens.map(shorten) : tokens, wanted).map((piece, i) => {
          const Tag = piece.hit ? "mark" : "span";
          return (
            <Tag
              // biome-ignore lint/suspicious/noArrayIndexKey: a piece has no name but its place
              key={i}
              className={piece.hit ? "rounded-xs bg-amber-wash text-amber" : TOKEN_CLASS[piece.kind]}
            >
              {piece.text}
            </Tag>
          );
        })}
        {cut && (
          <button
            type="button"
            tabIndex={-1}
            onClick={onWhole}
            className="ml-2 font-sans text-xs whitespace-nowrap text-accent underline underline-offset-4"
          >
            Show {formatNumber(hidden(line))} characters more
          </button>
        )}
      </span>
    </div>
  );
}

function shorten(token: JsonToken): JsonToken {
  return token.text.length > LONG ? { ...token, text: `${token.text.slice(0, LONG)}…` } : token;
}

function hidden(line: JsonLine): number {
  return line.tokens.reduce((sum, { text }) => sum + Math.max(0, text.length - LONG), 0);
}

function dots({ members = 0, tokens }: JsonLine): JsonToken {
  const array = tokens.at(-1)?.text === "[";
  return { kind: "mark", text: ` … ${count(members, array ? "item" : "member")} ` };
}
