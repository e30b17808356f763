import type { ReactNode } from "react";
import { ApiBanner } from "./api-banner";
import { Keyboard } from "./keyboard";
import { BottomNav, Sidebar, TopBar } from "./nav";

/** The frame around every page. */
export function Shell({ children }: { children: ReactNode }) {
  return (
    <Keyboard>
      <a
        href="#main"
        className="fixed top-2 left-2 z-50 -translate-y-16 rounded-md bg-ink px-3 py-2 text-ink-inverse focus-visible:translate-y-0"
      >
        Skip to the content
      </a>
      <div className="lg:grid lg:grid-cols-[14rem_minmax(0,1fr)]">
        <Sidebar />
        <TopBar />
        <main
          id="main"
          tabIndex={-1}
          className="mx-auto flex w-full max-w-[84rem] flex-col gap-6 px-4 pt-5 pb-28 outline-none sm:px-6 lg:px-10 lg:pt-8 lg:pb-20"
        >
          {children}
        </main>
      </div>
      <BottomNav />
      <ApiBanner />
    </Keyboard>
  );
}
