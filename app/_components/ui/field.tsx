import { type ComponentProps, type ReactNode, useId } from "react";
import { cx } from "./cx";

const CONTROL =
  "w-full rounded-md bg-surface text-ink ring-1 ring-inset ring-line-strong/60 transition-shadow placeholder:text-ink-faint hover:ring-line-strong focus-visible:outline-2 focus-visible:outline-offset-0 focus-visible:outline-focus aria-invalid:ring-red";

type FieldProps = {
  label: string;
  hint?: ReactNode;
  error?: string | undefined;
  className?: string;
  /** The label is a name out of the code. */
  mono?: boolean;
  children: (control: { id: string; "aria-describedby"?: string; "aria-invalid"?: true }) => ReactNode;
};

/** A labelled control with its hint, and its error in the same place. */
export function Field({ label, hint, error, className, mono = false, children }: FieldProps) {
  const id = useId();
  const note = `${id}-note`;
  return (
    <div className={cx("flex min-w-0 flex-col gap-1.5", className)}>
      <label htmlFor={id} className={cx("text-xs font-medium text-ink-soft", mono && "font-mono")}>
        {label}
      </label>
      {children({
        id,
        ...(hint || error ? { "aria-describedby": note } : {}),
        ...(error ? { "aria-invalid": true as const } : {}),
      })}
      {(hint || error) && (
        <p id={note} className={cx("text-xs", error ? "text-red" : "text-ink-faint")}>
          {error ?? hint}
        </p>
      )}
    </div>
  );
}

export function Input({ className, ...rest }: ComponentProps<"input">) {
  return <input {...rest} className={cx(CONTROL, "h-9 px-3", className)} />;
}

export function Select({
  className,
  children,
  small = false,
  ...rest
}: ComponentProps<"select"> & { small?: boolean }) {
  return (
    <select
      {...rest}
      className={cx(
        CONTROL,
        "chevron appearance-none bg-[length:1rem] bg-[right_0.5rem_center] bg-no-repeat pr-8",
        small ? "h-8 pl-2.5 text-xs" : "h-9 pl-3",
        className,
      )}
    >
      {children}
    </select>
  );
}

export function Checkbox({ className, ...rest }: Omit<ComponentProps<"input">, "type">) {
  return (
    <input
      {...rest}
      type="checkbox"
      className={cx(
        "size-4 shrink-0 appearance-none rounded bg-surface ring-1 ring-line-strong ring-inset checked:bg-focus checked:check-mark checked:ring-focus",
        className,
      )}
    />
  );
}
