"use client";

import dynamic from "next/dynamic";
import { useRouter } from "next/navigation";
import { createContext, type ReactNode, useContext, useEffect, useMemo, useRef, useState } from "react";
import { LazyDialog } from "../ui/lazy-dialog";
import { CREATE, PLACES } from "./places";
import { ShortcutList } from "./shortcut-list";

const Palette = dynamic(() => import("./palette").then((m) => m.Palette), { ssr: false });

const SEQUENCE_MS = 1200; // how long `g` waits for its letter

type KeyboardActions = { openPalette: () => void; openHelp: () => void };

const KeyboardContext = createContext<KeyboardActions>({ openPalette: () => {}, openHelp: () => {} });

export function useKeyboard(): KeyboardActions {
  return useContext(KeyboardContext);
}

/** Whether a key press means the page, and not the control or the window above it that has the focus. */
export function isForPage(event: KeyboardEvent): boolean {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || event.isComposing)
    return false;
  const target = event.target;
  return !(
    target instanceof HTMLElement &&
    (target.isContentEditable ||
      target.closest("input:not([type=checkbox]), textarea, select, [role=dialog]"))
  );
}

export function Keyboard({ children }: { children: ReactNode }) {
  const router = useRouter();
  const [palette, setPalette] = useState(false);
  const [help, setHelp] = useState(false);
  const wentAt = useRef(0);

  useEffect(() => {
    function onKey(event: KeyboardEvent) {
      if ((event.metaKey || event.ctrlKey) && event.key.toLowerCase() === "k") {
        event.preventDefault();
        setPalette((open) => !open);
        return;
      }
      if (!isForPage(event)) return;
      const afterG = event.timeStamp - wentAt.current < SEQUENCE_MS;
      wentAt.current = event.key === "g" ? event.timeStamp : Number.NEGATIVE_INFINITY;
      const place = afterG ? PLACES.find(({ key }) => key === event.key) : undefined;
      if (place) router.push(place.href);
      else if (event.key === CREATE.key) router.push(CREATE.href);
      else if (event.key === "/") setPalette(true);
      else if (event.key === "?") setHelp(true);
      else return;
      event.preventDefault();
    }
    document.addEventListener("keydown", onKey);
    return () => document.removeEventListener("keydown", onKey);
  }, [router]);

  const actions = useMemo(() => ({ openPalette: () => setPalette(true), openHelp: () => setHelp(true) }), []);
  return (
    <KeyboardContext value={actions}>
      {children}
      {palette && <Palette onClose={() => setPalette(false)} onHelp={() => setHelp(true)} />}
      <LazyDialog open={help} onClose={() => setHelp(false)} title="Keyboard">
        <ShortcutList />
      </LazyDialog>
    </KeyboardContext>
  );
}
