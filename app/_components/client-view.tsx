"use client";

import { type ReactNode, Suspense, useSyncExternalStore } from "react";

const never = () => () => {};

/**
 * A view that the browser draws: what it shows hangs on the URL's query and on data that the server never has.
 * The page's HTML holds the fallback, so that the first client render is the same as the server's.
 */
export function ClientView({ fallback, children }: { fallback: ReactNode; children: ReactNode }) {
  const here = useSyncExternalStore(
    never,
    () => true,
    () => false,
  );
  return here ? <Suspense fallback={fallback}>{children}</Suspense> : fallback;
}
