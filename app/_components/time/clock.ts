import { createContext, useContext, useSyncExternalStore } from "react";

// One clock for the whole window. It ticks once a second while somebody looks, and follows the server's time: a
// browser whose clock is wrong shall not count down to the wrong moment.

const TICK_MS = 1000;
const TOLERANCE_MS = 2000; // a Date header is cut to seconds, and the answer took its time

let offset = 0;
let current = Date.now();
let timer: ReturnType<typeof setInterval> | undefined;
const listeners = new Set<() => void>();

function tick() {
  current = Date.now() + offset;
  for (const listener of listeners) listener();
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  timer ??= setInterval(tick, TICK_MS);
  return () => {
    listeners.delete(listener);
    if (listeners.size === 0) {
      clearInterval(timer);
      timer = undefined;
    }
  };
}

/** The time by the server's clock, in milliseconds. */
export function serverNow(): number {
  return Date.now() + offset;
}

/** A time of the browser's clock, by the server's. */
export function serverTime(browserTime: number): number {
  return browserTime + offset;
}

/** The time at which the clocks within stand, by the server's clock: what is shown is of then. Undefined: they go. */
export const FrozenTime = createContext<number | undefined>(undefined);

/** Takes the Date header of an answer into account. */
export function syncClock(date: string | null): void {
  const server = date ? Date.parse(date) : Number.NaN;
  if (Number.isNaN(server)) return;
  const difference = server - Date.now();
  const next = Math.abs(difference) > TOLERANCE_MS ? difference : 0;
  if (Math.abs(next - offset) > TOLERANCE_MS) offset = next;
}

/**
 * What a function makes of the current time, kept up to date. The component renders anew only when that changes,
 * so a row whose age reads "3 min" rests for a minute.
 */
export function useTime<T extends string | number | boolean>(read: (now: number) => T): T {
  const frozen = useContext(FrozenTime);
  const snapshot = () => read(frozen ?? current);
  return useSyncExternalStore(subscribe, snapshot, snapshot);
}
