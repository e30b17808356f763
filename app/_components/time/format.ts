const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** A span for people: 850 ms, 3.2 s, 12 s, 4 min 5 s, 2 h 3 min, 5 d 4 h. Never negative. */
export function formatDuration(ms: number): string {
  const span = Math.max(0, ms);
  if (span < SECOND) return `${Math.round(span)} ms`;
  if (span < 9.95 * SECOND) return `${(span / SECOND).toFixed(1).replace(/\.0$/, "")} s`;
  return formatSeconds(span);
}

/** A span in whole seconds: 0 s, 12 s, 4 min 5 s, 2 h 3 min, 5 d 4 h. Never negative. */
export function formatSeconds(ms: number): string {
  const span = Math.max(0, Math.round(ms / SECOND) * SECOND);
  if (span < MINUTE) return `${span / SECOND} s`;
  if (span < HOUR) return two(span, MINUTE, "min", SECOND, "s");
  if (span < DAY) return two(span, HOUR, "h", MINUTE, "min");
  return two(span, DAY, "d", HOUR, "h");
}

function two(span: number, unit: number, name: string, smaller: number, smallerName: string): string {
  const rest = Math.floor((span % unit) / smaller);
  return `${Math.floor(span / unit)} ${name}${rest > 0 ? ` ${rest} ${smallerName}` : ""}`;
}

/** One unit only, for narrow columns: 12 s, 4 min, 2 h, 5 d. */
export function formatCoarse(ms: number): string {
  const span = Math.max(0, ms);
  if (span < MINUTE) return `${Math.floor(span / SECOND)} s`;
  if (span < HOUR) return `${Math.floor(span / MINUTE)} min`;
  if (span < DAY) return `${Math.floor(span / HOUR)} h`;
  return `${Math.floor(span / DAY)} d`;
}

/** How long ago, or how long until: now, 12 s ago, 4 min ago, in 8 s. */
export function formatRelative(at: string, now: number): string {
  const ago = now - Date.parse(at);
  if (Math.abs(ago) < SECOND) return "now";
  return ago > 0 ? `${formatCoarse(ago)} ago` : `in ${formatSeconds(Math.ceil(-ago / SECOND) * SECOND)}`;
}

/** What is left until a moment, counting down: 12 s, then due. */
export function formatCountdown(at: string, now: number): string {
  const left = Date.parse(at) - now;
  return left <= 0 ? "due" : formatSeconds(Math.ceil(left / SECOND) * SECOND);
}

const EXACT = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "medium" });
const CLOCK = new Intl.DateTimeFormat("en-GB", { timeStyle: "medium" });

/** The moment itself, for a tooltip: local time, and the text the API sent. */
export function formatExact(at: string): string {
  return `${EXACT.format(Date.parse(at))} (${at})`;
}

/** The time of day. */
export function formatClock(at: string): string {
  return CLOCK.format(Date.parse(at));
}
