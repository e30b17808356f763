import type { ComponentProps, ReactNode } from "react";
import { cx } from "./cx";

/** A sheet on the canvas. */
export function Card({ className, ...rest }: ComponentProps<"div">) {
  return <div {...rest} className={cx("rounded-lg bg-surface shadow-card ring-1 ring-line", className)} />;
}

/** A titled part of a page. */
export function Section({
  title,
  aside,
  className,
  children,
}: {
  title: string;
  aside?: ReactNode;
  className?: string;
  children: ReactNode;
}) {
  return (
    <section aria-label={title} className={cx("flex min-w-0 flex-col gap-2.5", className)}>
      <div className="flex min-h-7 items-center justify-between gap-3">
        <h2 className="text-sm font-semibold">{title}</h2>
        {aside}
      </div>
      {children}
    </section>
  );
}

/** Holds the place of something that is on its way. */
export function Skeleton({ className }: { className?: string }) {
  return (
    <span
      aria-hidden
      className={cx("block rounded bg-neutral-wash motion-safe:animate-breathe", className)}
    />
  );
}

export function Kbd({ children }: { children: ReactNode }) {
  return (
    <kbd className="inline-flex h-5 min-w-5 items-center justify-center rounded bg-sunken px-1 font-mono text-2xs text-ink-faint ring-1 ring-line">
      {children}
    </kbd>
  );
}
