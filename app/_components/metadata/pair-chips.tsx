import { X } from "lucide-react";
import { visible } from "../text/visible";
import { parsePair } from "./pairs";

/** The pairs that a list is filtered by. A click on one takes it away. */
export function PairChips({
  pairs,
  onChange,
}: {
  /** As the address has them. */
  pairs: readonly string[] | undefined;
  onChange: (pairs: string[]) => void;
}) {
  if (!pairs?.length) return null;
  return (
    <ul aria-label="Filtered by metadata" className="flex min-w-0 basis-full flex-wrap gap-1.5">
      {pairs.map((text) => {
        const pair = parsePair(text);
        if (!pair) return null;
        return (
          <li key={text} className="min-w-0 max-w-full">
            <button
              type="button"
              title={visible(`Remove ${pair.name}: ${pair.value}`)}
              aria-label={visible(`Remove ${pair.name}: ${pair.value}`)}
              onClick={() => onChange(pairs.filter((other) => other !== text))}
              className="inline-flex min-h-7 max-w-full items-center gap-1.5 rounded-2xl bg-selected py-1 pr-2 pl-3 font-mono text-xs text-ink ring-1 ring-line ring-inset hover:ring-line-strong"
            >
              <span className="min-w-0 text-left [overflow-wrap:anywhere]">
                <span className="text-ink-soft">{visible(pair.name)}:</span>{" "}
                {visible(pair.value) || "(empty)"}
              </span>
              <X aria-hidden className="size-3.5 shrink-0 text-ink-faint" />
            </button>
          </li>
        );
      })}
    </ul>
  );
}
