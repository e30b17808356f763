import { type ComponentProps, type ReactNode, useId } from "react";
import { cx } from "./cx";

type Variant = "primary" | "secondary" | "ghost" | "danger";
type Size = "small" | "medium";

const BASE =
  "group/button relative inline-flex items-center justify-center gap-1.5 rounded-md font-medium whitespace-nowrap select-none transition-colors [&>svg]:shrink-0";

const VARIANTS: Record<Variant, string> = {
  primary:
    "bg-ink text-ink-inverse hover:bg-ink-soft aria-disabled:bg-neutral-wash aria-disabled:text-ink-faint",
  secondary:
    "bg-raised text-ink ring-1 ring-inset ring-line hover:bg-hover aria-disabled:bg-transparent aria-disabled:text-ink-faint",
  ghost:
    "text-ink-soft hover:bg-hover hover:text-ink aria-disabled:bg-transparent aria-disabled:text-ink-faint",
  danger: "bg-red-wash text-red hover:ring-1 hover:ring-inset hover:ring-red aria-disabled:text-ink-faint",
};

const SIZES: Record<Size, string> = {
  small: "h-7 px-2.5 text-xs [&>svg]:size-3.5",
  medium: "h-9 px-3.5 text-sm [&>svg]:size-4",
};

export function buttonClass(variant: Variant = "secondary", size: Size = "medium"): string {
  return cx(BASE, VARIANTS[variant], SIZES[size]);
}

type ButtonProps = Omit<ComponentProps<"button">, "disabled"> & {
  variant?: Variant;
  size?: Size;
  /** Why the button does nothing now. It stays focusable, so that the reason can be read. */
  disabledReason?: string | false | undefined;
  /** The reason is shown above the button, because there is no room below. */
  tipAbove?: boolean;
  icon?: ReactNode;
};

export function Button({
  variant = "secondary",
  size = "medium",
  disabledReason,
  tipAbove = false,
  icon,
  className,
  children,
  onClick,
  type = "button",
  ...rest
}: ButtonProps) {
  const reasonId = useId();
  const off = Boolean(disabledReason);
  return (
    <button
      {...rest}
      type={type}
      aria-disabled={off || undefined}
      aria-describedby={off ? reasonId : rest["aria-describedby"]}
      onClick={(event) => {
        if (off) event.preventDefault();
        else onClick?.(event);
      }}
      className={cx(buttonClass(variant, size), off && "cursor-not-allowed!", className)}
    >
      {icon}
      {children}
      {off && (
        <span
          role="tooltip"
          id={reasonId}
          className={cx(
            "pointer-events-none invisible absolute right-0 z-30 w-max max-w-64 rounded-md bg-ink px-2 py-1 text-xs font-normal whitespace-normal text-ink-inverse shadow-float group-hover/button:visible group-focus-visible/button:visible",
            tipAbove ? "bottom-full mb-1.5" : "top-full mt-1.5",
          )}
        >
          {disabledReason}
        </span>
      )}
    </button>
  );
}

/** A button that is only a picture. Its label is read aloud, and shown by the browser on hover. */
export function IconButton({
  label,
  className,
  children,
  ...rest
}: Omit<ComponentProps<"button">, "disabled" | "aria-label"> & { label: string }) {
  return (
    <button
      type="button"
      {...rest}
      aria-label={label}
      title={label}
      className={cx(
        "inline-flex size-8 shrink-0 items-center justify-center rounded-md text-ink-faint transition-colors hover:bg-hover hover:text-ink [&>svg]:size-4",
        className,
      )}
    >
      {children}
    </button>
  );
}
