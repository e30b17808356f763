"use client";

import { Keyboard as KeyboardIcon, Plus, Search } from "lucide-react";
import { usePathname } from "next/navigation";
import { usePolled } from "@/_api/polling";
import { metricsQuery } from "@/_api/queries";
import { BASE_PATH } from "@/base-path";
import { formatCompact } from "../numbers";
import { useStaleSince } from "../time/stale";
import { buttonClass, IconButton } from "../ui/button";
import { cx } from "../ui/cx";
import { Kbd } from "../ui/surface";
import { useKeyboard } from "./keyboard";
import { LiveStatus } from "./live-status";
import { PlaceLink } from "./place-link";
import { CREATE, PLACES, type Place } from "./places";
import { ThemeSwitch } from "./theme-switch";

function Brand() {
  return (
    <PlaceLink
      href="/"
      className="flex items-center gap-2.5 rounded-md text-[0.9375rem] font-semibold tracking-tight"
    >
      {/* biome-ignore lint/performance/noImgElement: an SVG of 400 bytes has nothing to optimise */}
      <img src={`${BASE_PATH}/icon.svg`} alt="" width={24} height={24} className="rounded-md" />
      Windlass
    </PlaceLink>
  );
}

function isHere(place: Place, pathname: string): boolean {
  if (place.href === "/") return pathname === "/" || pathname.startsWith("/jobs/");
  return pathname.startsWith(place.href);
}

export function Sidebar() {
  const pathname = usePathname();
  const { openPalette, openHelp } = useKeyboard();
  return (
    <aside className="sticky top-0 hidden h-dvh flex-col gap-5 border-r border-line bg-surface px-3 py-5 lg:flex">
      <div className="flex items-center justify-between pl-2">
        <Brand />
      </div>
      <div className="flex flex-col gap-2">
        <PlaceLink href={CREATE.href} className={cx(buttonClass("primary"), "w-full justify-start")}>
          <Plus />
          <span className="grow">{CREATE.label}</span>
          <span aria-hidden className="font-mono text-2xs opacity-70">
            c
          </span>
        </PlaceLink>
        <button
          type="button"
          onClick={openPalette}
          className="flex h-9 items-center gap-2 rounded-md px-3.5 text-ink-faint ring-1 ring-line ring-inset hover:bg-hover hover:text-ink"
        >
          <Search className="size-4" />
          <span className="grow text-left">Find</span>
          <Kbd>/</Kbd>
        </button>
      </div>
      <nav aria-label="Pages" className="flex flex-col gap-0.5">
        {PLACES.map((place) => (
          <PlaceLink
            key={place.href}
            href={place.href}
            aria-current={isHere(place, pathname) ? "page" : undefined}
            className="group flex h-9 items-center gap-2.5 rounded-md px-3 font-medium text-ink-soft hover:bg-hover hover:text-ink aria-[current=page]:bg-hover aria-[current=page]:text-ink"
          >
            <place.icon aria-hidden className="size-4 text-ink-faint group-aria-[current=page]:text-accent" />
            <span className="grow">{place.label}</span>
            {place.href === "/dead" ? (
              <DeadCount />
            ) : (
              <span aria-hidden className="hidden font-mono text-2xs text-ink-faint group-hover:inline">
                g {place.key}
              </span>
            )}
          </PlaceLink>
        ))}
      </nav>
      <div className="mt-auto flex flex-col gap-3 pl-1">
        <LiveStatus />
        <div className="flex items-center justify-between">
          <ThemeSwitch />
          <IconButton label="Keyboard shortcuts (?)" onClick={openHelp}>
            <KeyboardIcon />
          </IconButton>
        </div>
      </div>
    </aside>
  );
}

function DeadCount() {
  const { data } = usePolled(metricsQuery());
  const old = useStaleSince(metricsQuery().queryKey) > 0;
  if (!data?.dead) return null;
  return (
    <span
      title={`${data.dead} dead jobs`}
      className={cx(
        "tabular rounded-full px-1.5 text-2xs font-semibold",
        old ? "bg-neutral-wash text-neutral" : "bg-red-wash text-red",
      )}
    >
      {formatCompact(data.dead)}
    </span>
  );
}

export function TopBar() {
  const { openPalette } = useKeyboard();
  return (
    <header className="sticky top-0 z-20 flex h-14 items-center justify-between gap-2 border-b border-line bg-surface px-4 sm:px-6 lg:hidden">
      <Brand />
      <div className="flex items-center gap-1">
        <LiveStatus compact />
        <ThemeSwitch compact />
        <IconButton label="Find" onClick={openPalette}>
          <Search />
        </IconButton>
        <PlaceLink href={CREATE.href} className={cx(buttonClass("primary", "small"), "ml-1.5")}>
          <Plus />
          {CREATE.label}
        </PlaceLink>
      </div>
    </header>
  );
}

export function BottomNav() {
  const pathname = usePathname();
  return (
    <nav
      aria-label="Pages"
      className="fixed inset-x-0 bottom-0 z-20 grid grid-cols-4 border-t border-line bg-surface pb-[env(safe-area-inset-bottom)] lg:hidden"
    >
      {PLACES.map((place) => (
        <PlaceLink
          key={place.href}
          href={place.href}
          aria-current={isHere(place, pathname) ? "page" : undefined}
          className="relative flex h-14 flex-col items-center justify-center gap-1 text-2xs font-medium text-ink-faint aria-[current=page]:text-ink"
        >
          <place.icon aria-hidden className="size-5" strokeWidth={1.75} />
          {place.short}
          {place.href === "/dead" && (
            <span className="absolute top-1.5 left-1/2 ml-2">
              <DeadCount />
            </span>
          )}
        </PlaceLink>
      ))}
    </nav>
  );
}
