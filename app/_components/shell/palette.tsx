"use client";

import { useQuery } from "@tanstack/react-query";
import { Command } from "cmdk";
import { ArrowRight, Hash, Keyboard, Monitor, Moon, Plus, Sun } from "lucide-react";
import { useRouter } from "next/navigation";
import { type ReactNode, useState } from "react";
import { jobTypesQuery } from "@/_api/queries";
import { isJobId } from "../id";
import { JOB_STATE, JOB_STATES } from "../job-state";
import { listHref } from "../jobs/search-params";
import { visible } from "../text/visible";
import { PLACES } from "./places";
import { setTheme } from "./theme-switch";

/** Every page and every act, by name; and any job, by its id. Loaded when it opens for the first time. */
export function Palette({ onClose, onHelp }: { onClose: () => void; onHelp: () => void }) {
  const router = useRouter();
  const [text, setText] = useState("");
  const types = useQuery(jobTypesQuery());
  const id = text.trim().toLowerCase();

  function run(act: () => void) {
    onClose();
    act();
  }
  const go = (href: string) => () => run(() => router.push(href));

  return (
    <Command.Dialog
      open
      onOpenChange={(open) => !open && onClose()}
      label="Find"
      loop
      overlayClassName="fixed inset-0 z-40 bg-black/40 motion-safe:animate-appear"
      contentClassName="fixed inset-x-3 top-[12dvh] z-50 mx-auto max-w-xl overflow-hidden rounded-xl bg-raised shadow-float ring-1 ring-line motion-safe:animate-appear"
    >
      <Command.Input
        autoFocus
        value={text}
        onValueChange={setText}
        placeholder="Find a page, an action, or paste a job's id"
        className="h-12 w-full border-b border-line bg-transparent px-4 text-base outline-none placeholder:text-ink-faint"
      />
      <Command.List className="max-h-[min(26rem,60dvh)] overflow-y-auto p-2 [&_[cmdk-group-heading]]:px-2 [&_[cmdk-group-heading]]:pt-2 [&_[cmdk-group-heading]]:pb-1 [&_[cmdk-group-heading]]:text-xs [&_[cmdk-group-heading]]:font-medium [&_[cmdk-group-heading]]:text-ink-faint">
        <Command.Empty className="px-2 py-8 text-center text-ink-faint">
          No page or action has this name. To open a job, paste its whole id.
        </Command.Empty>
        {isJobId(id) && (
          <Item icon={<Hash />} value={id} onSelect={go(`/jobs/${id}`)}>
            Open job <span className="font-mono text-xs">{id}</span>
          </Item>
        )}
        <Command.Group heading="Go to">
          {PLACES.map(({ href, label, icon: Icon, key }) => (
            <Item key={href} icon={<Icon />} value={label} onSelect={go(href)} hint={`g ${key}`}>
              {label}
            </Item>
          ))}
        </Command.Group>
        <Command.Group heading="Create">
          <Item icon={<Plus />} value="New job" onSelect={go("/create")} hint="c">
            New job
          </Item>
          {types.data?.map(({ name }) => (
            <Item key={name} icon={<Plus />} value={`New ${name} job`} onSelect={go(`/create?type=${name}`)}>
              New <span className="font-mono text-xs">{visible(name)}</span> job
            </Item>
          ))}
        </Command.Group>
        <Command.Group heading="Show jobs">
          {JOB_STATES.map((state) => {
            const { label, icon: Icon } = JOB_STATE[state];
            return (
              <Item key={state} icon={<Icon />} value={`${label} jobs`} onSelect={go(listHref({ state }))}>
                {label} jobs
              </Item>
            );
          })}
        </Command.Group>
        <Command.Group heading="Appearance and help">
          <Item icon={<Sun />} value="Light theme" onSelect={() => run(() => setTheme("light"))}>
            Light theme
          </Item>
          <Item icon={<Moon />} value="Dark theme" onSelect={() => run(() => setTheme("dark"))}>
            Dark theme
          </Item>
          <Item icon={<Monitor />} value="System theme" onSelect={() => run(() => setTheme("system"))}>
            System theme
          </Item>
          <Item icon={<Keyboard />} value="Keyboard shortcuts" onSelect={() => run(onHelp)} hint="?">
            Keyboard shortcuts
          </Item>
        </Command.Group>
      </Command.List>
    </Command.Dialog>
  );
}

type ItemProps = { icon: ReactNode; value: string; hint?: string; onSelect: () => void; children: ReactNode };

function Item({ icon, value, hint, onSelect, children }: ItemProps) {
  return (
    <Command.Item
      value={value}
      onSelect={onSelect}
      className="group flex h-9 items-center gap-2.5 rounded-md px-2 data-[selected=true]:bg-hover [&>svg]:size-4 [&>svg]:text-ink-faint"
    >
      {icon}
      <span className="grow truncate">{children}</span>
      {hint && <span className="font-mono text-2xs text-ink-faint">{hint}</span>}
      <ArrowRight aria-hidden className="opacity-0 group-data-[selected=true]:opacity-100" />
    </Command.Item>
  );
}
