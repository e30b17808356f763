import { useId } from "react";
import type { JobType } from "@/_api/types";
import { visible } from "@/_components/text/visible";
import { formatSeconds } from "@/_components/time/format";
import { Field, Input, Select } from "@/_components/ui/field";
import { Card } from "@/_components/ui/surface";
import { DEMOS } from "./demos";
import { type Draft, type DraftFaults, newDraft } from "./form-state";
import { describeSchedule, scheduleTotal } from "./retry-schedule";

type TypeFieldsProps = {
  types: JobType[];
  type: JobType;
  draft: Draft;
  faults: DraftFaults;
  onChange: (part: Partial<Draft>) => void;
};

/** What people look for first: which job, how often it is tried, and where it waits. Or a ready demo of all that. */
export function TypeFields({ types, type, draft, faults, onChange }: TypeFieldsProps) {
  const listId = useId();
  const demos = DEMOS.filter((demo) => types.some(({ name }) => name === demo.type));
  const attempts = draft.maxAttempts && !faults.maxAttempts ? Number(draft.maxAttempts) : type.max_attempts;
  const queues = [...new Set(types.map(({ queue }) => queue))];
  function choose(name: string) {
    const next = types.find((candidate) => candidate.name === name);
    if (next) onChange({ type: next.name, payload: newDraft(next).payload });
  }
  return (
    <Card className="flex flex-col gap-4 p-4 sm:p-5">
      <div className="grid grid-cols-2 gap-x-4 gap-y-3.5 md:grid-cols-[minmax(0,5fr)_minmax(0,4fr)_minmax(0,3fr)]">
        <Field
          label="Type"
          error={faults.type}
          hint={visible(type.description ?? "No description")}
          className="col-span-2 md:col-span-1"
        >
          {(control) => (
            <Select {...control} value={draft.type} onChange={(event) => choose(event.target.value)}>
              {types.map(({ name }) => (
                <option key={name} value={name}>
                  {visible(name)}
                </option>
              ))}
            </Select>
          )}
        </Field>
        <Field label="Max attempts" error={faults.maxAttempts} hint={<RetryPreview attempts={attempts} />}>
          {(control) => (
            <Input
              {...control}
              inputMode="numeric"
              placeholder={String(type.max_attempts)}
              value={draft.maxAttempts}
              onChange={({ target }) => onChange({ maxAttempts: target.value.trim() })}
              className="tabular"
            />
          )}
        </Field>
        <Field label="Queue" error={faults.queue} hint="Any name: it needs no setting up">
          {(control) => (
            <>
              <Input
                {...control}
                list={listId}
                placeholder={type.queue}
                value={draft.queue}
                autoComplete="off"
                spellCheck={false}
                onChange={({ target }) => onChange({ queue: target.value.trim() })}
              />
              <datalist id={listId}>
                {queues.map((queue) => (
                  <option key={queue} value={queue} />
                ))}
              </datalist>
            </>
          )}
        </Field>
      </div>
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

/** When the retries come. */
export function RetryPreview({ attempts }: { attempts: number }) {
  if (attempts <= 1) return <>No retry: the first failure is the last.</>;
  return (
    <>
      Retries after {describeSchedule(attempts)}; gives up after about{" "}
      {formatSeconds(scheduleTotal(attempts))}.
    </>
  );
}
