"use client";

import { Check, Copy } from "lucide-react";
import { useEffect, useState } from "react";
import { cx } from "./cx";
import { toast } from "./toaster";

const SHOWN_MS = 1500;

/** Puts a text into the clipboard. Where the browser forbids that, it says so. */
export function CopyButton({
  text,
  what,
  className,
  children,
}: {
  text: string;
  what: string;
  className?: string;
  children?: string;
}) {
  const [copied, setCopied] = useState(false);
  useEffect(() => {
    if (!copied) return;
    const timer = setTimeout(() => setCopied(false), SHOWN_MS);
    return () => clearTimeout(timer);
  }, [copied]);
  async function copy() {
    try {
      await navigator.clipboard.writeText(text);
      setCopied(true);
    } catch {
      toast.error(
        `The ${what} was not copied`,
        "The browser does not allow it here. Select the text instead.",
      );
    }
  }
  const Icon = copied ? Check : Copy;
  return (
    <button
      type="button"
      onClick={copy}
      aria-label={`Copy ${what}`}
      title={`Copy ${what}`}
      className={cx(
        "inline-flex h-7 min-w-7 shrink-0 items-center justify-center gap-1.5 rounded-md px-1.5 text-xs font-medium text-ink-faint hover:bg-hover hover:text-ink",
        className,
      )}
    >
      <Icon aria-hidden className={cx("size-3.5", copied && "text-green")} />
      {children}
      <span role="status" className="sr-only">
        {copied ? "Copied" : ""}
      </span>
    </button>
  );
}
