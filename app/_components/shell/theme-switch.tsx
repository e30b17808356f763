"use client";

import { Monitor, Moon, Sun } from "lucide-react";
import { useSyncExternalStore } from "react";
import { IconButton } from "../ui/button";
import { cx } from "../ui/cx";

const THEMES = [
  { name: "system", label: "System theme", icon: Monitor },
  { name: "light", label: "Light", icon: Sun },
  { name: "dark", label: "Dark", icon: Moon },
] as const;

type Theme = (typeof THEMES)[number]["name"];

const CHANGED = "windlass:theme";
const STORED = "windlass:theme"; // as in theme.js; a program around the window may keep a "theme" of its own

function subscribe(listener: () => void) {
  window.addEventListener(CHANGED, listener);
  return () => window.removeEventListener(CHANGED, listener);
}

function readTheme(): Theme {
  const chosen = document.documentElement.dataset.theme;
  return chosen === "light" || chosen === "dark" ? chosen : "system";
}

/** Chooses a theme and keeps it for the next visit; theme.js reads it before the first paint. */
export function setTheme(theme: Theme): void {
  if (theme === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  try {
    if (theme === "system") localStorage.removeItem(STORED);
    else localStorage.setItem(STORED, theme);
  } catch {
    // No storage: the choice lasts as long as the page.
  }
  window.dispatchEvent(new Event(CHANGED));
}

export function ThemeSwitch({ compact = false }: { compact?: boolean }) {
  const theme = useSyncExternalStore<Theme>(subscribe, readTheme, () => "system");
  if (compact) {
    const index = THEMES.findIndex(({ name }) => name === theme);
    const next = THEMES[(index + 1) % THEMES.length] ?? THEMES[0];
    const Icon = THEMES[index]?.icon ?? Monitor;
    return (
      <IconButton label={`Theme: ${theme}. Switch to ${next.name}`} onClick={() => setTheme(next.name)}>
        <Icon />
      </IconButton>
    );
  }
  return (
    <fieldset className="flex rounded-md bg-sunken p-0.5 ring-1 ring-line ring-inset">
      <legend className="sr-only">Theme</legend>
      {THEMES.map(({ name, label, icon: Icon }) => (
        <button
          key={name}
          type="button"
          aria-pressed={theme === name}
          aria-label={label}
          title={label}
          onClick={() => setTheme(name)}
          className={cx(
            "inline-flex h-6 w-7 items-center justify-center rounded text-ink-faint hover:text-ink",
            theme === name && "bg-raised text-ink shadow-card",
          )}
        >
          <Icon className="size-3.5" />
        </button>
      ))}
    </fieldset>
  );
}
