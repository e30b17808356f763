import { JsonView } from "@/_components/json/json-view";
import { CopyButton } from "@/_components/ui/copy";
import { Card, Section } from "@/_components/ui/surface";

/** The payload or the result of a job. */
export function JsonPanel({ title, text, note }: { title: string; text: string; note?: string }) {
  return (
    <Section title={title} aside={<CopyButton text={text} what={title.toLowerCase()} />}>
      <Card className="overflow-hidden">
        {note ? (
          <p className="px-4 py-3 text-ink-faint">{note}</p>
        ) : (
          <JsonView key={text} label={`${title} as JSON`} text={text} />
        )}
      </Card>
    </Section>
  );
}
