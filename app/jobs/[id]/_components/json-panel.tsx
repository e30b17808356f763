"use client";

import { useMemo, useState } from "react";
import { TOKEN_CLASS } from "@/_components/json/highlight";
import { layoutJson } from "@/_components/json/layout";
import { Button } from "@/_components/ui/button";
import { CodeBlock } from "@/_components/ui/code-block";
import { CopyButton } from "@/_components/ui/copy";
import { Card, Section } from "@/_components/ui/surface";

const SHOWN_LINES = 120;

/** JSON to read: laid out and coloured, each number as it was sent. Long texts begin cut. */
export function JsonPanel({ title, text, note }: { title: string; text: string; note?: string }) {
  const lines = useMemo(() => layoutJson(text), [text]);
  const [whole, setWhole] = useState(false);
  const shown = whole ? lines : lines.slice(0, SHOWN_LINES);
  return (
    <Section title={title} aside={<CopyButton text={text} what={title.toLowerCase()} />}>
      <Card className="overflow-hidden">
        {note ? (
          <p className="px-4 py-3 text-ink-faint">{note}</p>
        ) : (
          <CodeBlock label={`${title} as JSON`} className="max-h-[36rem] px-4 py-3 text-[0.8125rem]/5">
            {shown.map((line, i) => (
              // biome-ignore lint/suspicious/noArrayIndexKey: a line has no name but its number
              <span key={i} className="block" style={{ paddingLeft: `${line.indent * 2}ch` }}>
                {line.tokens.map((token, j) => (
                  // biome-ignore lint/suspicious/noArrayIndexKey: a token has no name but its place
                  <span key={j} className={TOKEN_CLASS[token.kind]}>
                    {token.text}
                  </span>
                ))}
              </span>
            ))}
          </CodeBlock>
        )}
        {lines.length > shown.length && (
          <div className="border-t border-line p-2">
            <Button size="small" variant="ghost" onClick={() => setWhole(true)}>
              Show all {lines.length} lines
            </Button>
          </div>
        )}
      </Card>
    </Section>
  );
}
