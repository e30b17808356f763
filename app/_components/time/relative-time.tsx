"use client";

import { useTime } from "./clock";
import { formatCoarse, formatCountdown, formatExact, formatRelative, formatSeconds } from "./format";

/** A moment as people say it: "12 s ago". The exact one is in the title. */
export function RelativeTime({ at, className }: { at: string; className?: string }) {
  const text = useTime((now) => formatRelative(at, now));
  return (
    <time dateTime={at} title={formatExact(at)} className={className}>
      {text}
    </time>
  );
}

/** How old something is: "12 s". */
export function Age({ since, className }: { since: string; className?: string }) {
  const text = useTime((now) => formatCoarse(now - Date.parse(since)));
  return (
    <time dateTime={since} title={formatExact(since)} className={className}>
      {text}
    </time>
  );
}

/** What is left until a moment: "8 s", then "due". */
export function Countdown({ to, className }: { to: string; className?: string }) {
  const text = useTime((now) => formatCountdown(to, now));
  return (
    <time dateTime={to} title={formatExact(to)} className={className}>
      {text}
    </time>
  );
}

/** How long something has been going on: "1 min 12 s". */
export function Elapsed({ since, className }: { since: string; className?: string }) {
  const text = useTime((now) => formatSeconds(Math.floor((now - Date.parse(since)) / 1000) * 1000));
  return (
    <time dateTime={since} title={formatExact(since)} className={className}>
      {text}
    </time>
  );
}
