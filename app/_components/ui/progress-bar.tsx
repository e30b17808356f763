import { cx } from "./cx";

export function ProgressBar({
  percent,
  label,
  className,
}: {
  percent: number;
  label: string;
  className?: string;
}) {
  const value = Math.min(100, Math.max(0, percent));
  return (
    <span
      role="progressbar"
      aria-label={label}
      aria-valuenow={Math.floor(value)}
      aria-valuemin={0}
      aria-valuemax={100}
      tabIndex={-1}
      className={cx("block h-1.5 overflow-hidden rounded-full bg-blue-wash", className)}
    >
      <span
        className="block h-full origin-left rounded-full bg-blue transition-transform duration-500"
        style={{ transform: `scaleX(${value / 100})` }}
      />
    </span>
  );
}
