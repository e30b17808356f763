"use client";

import { Plus, X } from "lucide-react";
import { useId, useRef } from "react";
import { MAX_PAIRS } from "@/_components/metadata/pairs";
import { Button, IconButton } from "@/_components/ui/button";
import { Input } from "@/_components/ui/field";
import { Card } from "@/_components/ui/surface";
import type { Draft } from "./form-state";

type MetadataFieldsProps = {
  rows: Draft["metadata"];
  error: string | undefined;
  onChange: (part: Partial<Draft>) => void;
};

/** Pairs of text on the job. A row that is empty does not count. */
export function MetadataFields({ rows, error, onChange }: MetadataFieldsProps) {
  const note = useId();
  const added = useRef<number>(undefined); // the row that gets the focus when it is drawn
  const addButton = useRef<HTMLDivElement>(null);

  // What is wrong with a name is shown at the name, what is wrong with all of them at all.
  const blamed = rows.filter(
    ({ id, name, value }) =>
      (name === "" && value !== "") ||
      (name !== "" && rows.some((row) => row.id !== id && row.name === name)),
  );

  function add() {
    added.current = Math.max(0, ...rows.map(({ id }) => id)) + 1;
    onChange({ metadata: [...rows, { id: added.current, name: "", value: "" }] });
  }

  function remove(id: number) {
    onChange({ metadata: rows.filter((row) => row.id !== id) });
    addButton.current?.querySelector("button")?.focus(); // the one that was clicked goes away
  }

  function set(id: number, part: { name: string } | { value: string }) {
    onChange({ metadata: rows.map((row) => (row.id === id ? { ...row, ...part } : row)) });
  }

  return (
    <Card className="p-4 sm:p-5">
      <fieldset className="flex flex-col gap-2.5" aria-describedby={note}>
        <legend className="float-left text-xs font-medium text-ink-soft">Metadata</legend>
        {rows.map((row, index) => (
          <div key={row.id} className="flex items-center gap-2">
            <Input
              aria-label={`Name ${index + 1}`}
              placeholder="name"
              value={row.name}
              autoComplete="off"
              spellCheck={false}
              aria-invalid={(error && (blamed.length === 0 || blamed.includes(row))) || undefined}
              aria-describedby={note}
              ref={(input) => {
                if (!input || added.current !== row.id) return;
                added.current = undefined;
                input.focus();
              }}
              onChange={({ target }) => set(row.id, { name: target.value })}
              className="min-w-0 flex-2 font-mono sm:text-[0.8125rem]"
            />
            <Input
              aria-label={`Value ${index + 1}`}
              placeholder="value"
              value={row.value}
              autoComplete="off"
              spellCheck={false}
              onChange={({ target }) => set(row.id, { value: target.value })}
              className="min-w-0 flex-3 font-mono sm:text-[0.8125rem]"
            />
            <IconButton label={`Remove pair ${index + 1}`} onClick={() => remove(row.id)}>
              <X />
            </IconButton>
          </div>
        ))}
        <div ref={addButton} className="flex flex-wrap items-center justify-between gap-x-4 gap-y-2">
          <p id={note} className={error ? "text-xs text-red" : "text-xs text-ink-faint"}>
            {error ?? "Pairs of text to find the job by. They do not change what it does."}
          </p>
          <Button
            size="small"
            icon={<Plus />}
            onClick={add}
            disabledReason={rows.length >= MAX_PAIRS && `There are ${MAX_PAIRS} pairs at most`}
          >
            Add pair
          </Button>
        </div>
      </fieldset>
    </Card>
  );
}
