"use client";

import { useId, useMemo } from "react";
import { firstUnseen, visible } from "../text/visible";
import { Button } from "../ui/button";
import { cx } from "../ui/cx";
import { highlight, TOKEN_CLASS } from "./highlight";
import { formatJson } from "./layout";
import { parseJson, place } from "./parse";

export type LineFault = { line: number; text: string };

type JsonEditorProps = {
  label: string;
  value: string;
  onChange: (text: string) => void;
  /** What the server found, by line. */
  faults?: LineFault[];
  onReset?: (() => void) | undefined;
  resetLabel?: string;
};

const MIN_LINES = 10;
const COLOUR_LIMIT = 20_000; // characters; longer texts are shown in one colour, so that typing stays quick

/** What keeps a text from being a payload, by line and column; undefined where nothing does. */
export function payloadFault(text: string): (LineFault & { column: number }) | undefined {
  const parsed = parseJson(text);
  if (!parsed.ok) return { ...parsed.fault, text: parsed.fault.message };
  if (parsed.root.kind !== "object") return { line: 1, column: 1, text: "A payload is an object: { … }" };
  return undefined;
}

/** A field for JSON: numbered lines, the first fault named and marked while typing. */
export function JsonEditor({
  label,
  value,
  onChange,
  faults = [],
  onReset,
  resetLabel = "Reset",
}: JsonEditorProps) {
  const noteId = useId();
  const fault = useMemo(() => payloadFault(value), [value]);
  const marked = new Set([...(fault ? [fault.line] : []), ...faults.map(({ line }) => line)]);
  const lines = value.split("\n");
  const unseen = useMemo(() => firstUnseen(value), [value]);
  return (
    <div className="flex min-w-0 flex-col gap-1.5">
      <div className="-mt-1 flex h-6 items-center justify-between">
        <span className="text-xs font-medium text-ink-soft">{label}</span>
        <span className="flex gap-1">
          {onReset && (
            <Button variant="ghost" size="small" className="h-6! px-2!" onClick={onReset}>
              {resetLabel}
            </Button>
          )}
          <Button
            variant="ghost"
            size="small"
            className="h-6! px-2!"
            disabledReason={fault && "There is a mistake in the text"}
            onClick={() => onChange(formatJson(value))}
          >
            Format
          </Button>
        </span>
      </div>
      <div
        className={cx(
          "max-h-[28rem] min-h-52 grow overflow-auto rounded-md border bg-sunken focus-within:outline-2 focus-within:outline-focus",
          marked.size > 0 ? "border-red" : "border-line-strong/60",
        )}
      >
        <div className="grid min-h-full w-full min-w-max grid-cols-[2.75rem_minmax(0,1fr)] font-mono text-[0.8125rem] leading-5">
          <div
            aria-hidden
            data-testid="line-numbers"
            className="sticky left-0 z-10 border-r border-line bg-sunken py-2 text-right text-ink-faint select-none"
          >
            {lines
              .map((_, i) => i + 1)
              .map((line) => (
                <div
                  key={line}
                  className={cx(
                    "tabular pr-2.5 text-2xs/5",
                    marked.has(line) && "bg-red-wash font-semibold text-red",
                  )}
                >
                  {line}
                </div>
              ))}
          </div>
          <div className="relative grid *:col-start-1 *:row-start-1">
            <pre aria-hidden className="pointer-events-none px-3 py-2 pr-6 whitespace-pre">
              <Coloured text={value} />
              {"\n"}
            </pre>
            <textarea
              value={value}
              onChange={(event) => onChange(event.target.value)}
              aria-label={label}
              aria-invalid={marked.size > 0 || undefined}
              aria-describedby={noteId}
              rows={Math.max(MIN_LINES, lines.length)}
              spellCheck={false}
              autoCapitalize="off"
              autoComplete="off"
              wrap="off"
              className="min-h-full w-full resize-none overflow-hidden bg-transparent px-3 py-2 pr-6 text-[0.8125rem]! leading-5 whitespace-pre text-transparent caret-ink outline-none"
            />
          </div>
        </div>
      </div>
      <div id={noteId} aria-live="polite" className="min-h-4 text-xs">
        {fault ? (
          <p className="text-red">
            Line {fault.line}, column {fault.column}: {fault.text}
          </p>
        ) : (
          faults.map(({ line, text }) => (
            <p key={`${line}${text}`} className="text-red">
              Line {line}: {visible(text)}
            </p>
          ))
        )}
        {unseen && (
          <p className="text-amber">
            Line {place(value, unseen.offset).line} has a character that cannot be seen:{" "}
            <span className="font-mono">{unseen.escape}</span>
          </p>
        )}
      </div>
    </div>
  );
}

function Coloured({ text }: { text: string }) {
  const tokens = useMemo(() => (text.length > COLOUR_LIMIT ? undefined : highlight(text)), [text]);
  if (!tokens) return text;
  let at = 0;
  return tokens.map((token) => {
    const key = at;
    at += token.text.length;
    return (
      <span key={key} className={TOKEN_CLASS[token.kind]}>
        {token.text}
      </span>
    );
  });
}
