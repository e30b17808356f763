import { useId } from "react";
import type { JobType } from "@/_api/types";
import { formatSeconds } from "@/_components/time/format";
import { Field, Input } from "@/_components/ui/field";
import { Card } from "@/_components/ui/surface";
import type { Draft, DraftFaults } from "./form-state";
import { describeSchedule, scheduleTotal } from "./retry-schedule";

type OptionFieldsProps = {
  types: JobType[];
  type: JobType;
  draft: Draft;
  faults: DraftFaults;
  onChange: (part: Partial<Draft>) => void;
};

/** How the job is run. Each field may stay empty: then the type's own value counts. */
export function OptionFields({ types, type, draft, faults, onChange }: OptionFieldsProps) {
  const listId = useId();
  const attempts = draft.maxAttempts && !faults.maxAttempts ? Number(draft.maxAttempts) : type.max_attempts;
  const queues = [...new Set(types.map(({ queue }) => queue))];
  return (
    <Card className="grid gap-x-5 gap-y-4 p-4 sm:grid-cols-2 sm:p-5 lg:grid-cols-4">
      <Field
        label="Max attempts"
        error={faults.maxAttempts}
        hint={<RetryPreview attempts={attempts} />}
        className="sm:col-span-2 lg:col-span-1"
      >
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
      <Field label="Queue" error={faults.queue} hint="Workers take from each in turn">
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
      <Field label="Priority" error={faults.priority} hint="−10 to 10, the highest first">
        {(control) => (
          <Input
            {...control}
            inputMode="text"
            placeholder="0"
            value={draft.priority}
            onChange={({ target }) => onChange({ priority: target.value.trim().replace("−", "-") })}
            className="tabular"
          />
        )}
      </Field>
      <Field label="Delay in seconds" error={faults.delay} hint={<DelayPreview delay={draft.delay} />}>
        {(control) => (
          <Input
            {...control}
            inputMode="numeric"
            placeholder="0"
            value={draft.delay}
            onChange={({ target }) => onChange({ delay: target.value.trim() })}
            className="tabular"
          />
        )}
      </Field>
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

function DelayPreview({ delay }: { delay: string }) {
  const seconds = Number(delay);
  if (!delay || !Number.isFinite(seconds) || seconds <= 0) return <>Starts at once</>;
  return <>Starts in {formatSeconds(seconds * 1000)}</>;
}
