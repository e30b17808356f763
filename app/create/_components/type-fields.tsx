import type { JobType } from "@/_api/types";
import { Field, Select } from "@/_components/ui/field";
import { Card } from "@/_components/ui/surface";
import { DEMOS } from "./demos";
import { type Draft, newDraft } from "./form-state";

type TypeFieldsProps = {
  types: JobType[];
  type: JobType;
  draft: Draft;
  error: string | undefined;
  onChange: (part: Partial<Draft>) => void;
};

/** Which job: one of the types, or a ready demo of one. */
export function TypeFields({ types, type, draft, error, onChange }: TypeFieldsProps) {
  const demos = DEMOS.filter((demo) => types.some(({ name }) => name === demo.type));
  function choose(name: string) {
    const next = types.find((candidate) => candidate.name === name);
    if (next) onChange({ type: next.name, payload: newDraft(next).payload });
  }
  return (
    <Card className="flex flex-col gap-4 p-4 sm:p-5">
      <Field label="Type" error={error} hint={type.description ?? "No description"}>
        {(control) => (
          <Select {...control} value={draft.type} onChange={(event) => choose(event.target.value)}>
            {types.map(({ name }) => (
              <option key={name}>{name}</option>
            ))}
          </Select>
        )}
      </Field>
      {demos.length > 0 && (
        <fieldset className="flex flex-wrap items-center gap-1.5">
          <legend className="sr-only">Demos</legend>
          <span className="mr-1 text-xs text-ink-faint">Fill in a demo:</span>
          {demos.map((demo) => (
            <button
              key={demo.label}
              type="button"
              title={demo.hint}
              onClick={() => onChange({ ...demo.draft, type: demo.type })}
              className="h-7 rounded-full px-3 text-xs font-medium text-ink-soft ring-1 ring-line ring-inset hover:bg-hover hover:text-ink"
            >
              {demo.label}
            </button>
          ))}
        </fieldset>
      )}
    </Card>
  );
}
