import { X } from "lucide-react";
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
              title={`Remove ${pair.name}: ${pair.value}`}
              aria-label={`Remove ${pair.name}: ${pair.value}`}
              onClick={() => onChange(pairs.filter((other) => other !== text))}
              className="inline-flex h-7 max-w-full items-center gap-1.5 rounded-full bg-selected pr-2 pl-3 font-mono text-xs text-ink ring-1 ring-line ring-inset hover:ring-line-strong"
            >
              <span className="min-w-0 truncate">
                <span className="text-ink-soft">{pair.name}:</span> {pair.value || "(empty)"}
              </span>
              <X aria-hidden className="size-3.5 shrink-0 text-ink-faint" />
            </button>
          </li>
        );
      })}
    </ul>
  );
}
