import type { ReactNode } from "react";
import { cx } from "./cx";

/** Code that may scroll. What scrolls can be reached by keyboard, and has a name. */
export function CodeBlock({
  label,
  wrap = false,
  className,
  children,
}: {
  label: string;
  /** Long lines go on in the next one. */
  wrap?: boolean;
  className?: string;
  children: ReactNode;
}) {
  return (
    <section
      aria-label={label}
      // biome-ignore lint/a11y/noNoninteractiveTabindex: else it could only be scrolled by pointer
      tabIndex={0}
      className={cx("overflow-auto font-mono focus-visible:outline-offset-[-2px]", className)}
    >
      <pre className={wrap ? "break-words whitespace-pre-wrap" : undefined}>{children}</pre>
    </section>
  );
}
