import { useSyncExternalStore } from "react";

/** Whether the window is as narrow as a phone. Only for views that the browser draws: the server cannot know. */
export function useNarrow(): boolean {
  return useSyncExternalStore(subscribe, read, () => false);
}

const query = () => window.matchMedia("(max-width: 639.98px)");

function read(): boolean {
  return query().matches;
}

function subscribe(listener: () => void): () => void {
  const list = query();
  list.addEventListener("change", listener);
  return () => list.removeEventListener("change", listener);
}
