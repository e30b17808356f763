import { ArrowUp } from "lucide-react";
import { formatNumber } from "../numbers";

type FreshRowsProps = {
  count: number;
  /** There may be more than were counted. */
  more?: boolean;
  onShow: () => void;
};

/** How many rows have come that are not shown, and the way to see them. It lies on the list's edge and moves nothing. */
export function FreshRows({ count, more = false, onShow }: FreshRowsProps) {
  return (
    <button
      type="button"
      onClick={onShow}
      title="The list stands still while you read it. Press to see what came since (.)"
      className="tabular absolute top-0 left-1/2 z-20 inline-flex h-7 -translate-x-1/2 -translate-y-1/2 items-center gap-1.5 rounded-full bg-raised px-3 text-xs font-medium whitespace-nowrap text-ink shadow-card ring-1 ring-line-strong hover:bg-hover"
    >
      <ArrowUp aria-hidden className="size-3.5 text-ink-faint" />
      {formatNumber(count)}
      {more && "+"} new, show
    </button>
  );
}
