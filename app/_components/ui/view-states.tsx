import { Inbox, PlugZap, RotateCw } from "lucide-react";
import type { ReactNode } from "react";
import { ApiDown, sentenceOf } from "@/_api/problem";
import { visible } from "../text/visible";
import { Button } from "./button";

/** Nothing to show, and what to do next. */
export function EmptyState({
  title,
  children,
  action,
}: {
  title: string;
  children?: ReactNode;
  action?: ReactNode;
}) {
  return (
    <div className="flex flex-col items-center gap-1.5 px-6 py-14 text-center">
      <Inbox aria-hidden className="mb-2 size-6 text-ink-faint" strokeWidth={1.5} />
      <p className="font-medium">{title}</p>
      {children && <p className="max-w-md text-ink-faint">{children}</p>}
      {action && <div className="mt-3 flex flex-wrap justify-center gap-2">{action}</div>}
    </div>
  );
}

/** It could not be shown, and how to try again. */
export function ErrorState({ error, onRetry }: { error: unknown; onRetry: () => void }) {
  const down = error instanceof ApiDown;
  return (
    <div role="alert" className="flex flex-col items-center gap-1.5 px-6 py-14 text-center">
      <PlugZap aria-hidden className="mb-2 size-6 text-red" strokeWidth={1.5} />
      <p className="font-medium">{visible(sentenceOf(error))}</p>
      <p className="max-w-md text-ink-faint">
        {down ? "The page tries again every 2 seconds." : "Nothing was changed."}
      </p>
      <Button className="mt-3" onClick={onRetry} icon={<RotateCw />}>
        Try again
      </Button>
    </div>
  );
}
