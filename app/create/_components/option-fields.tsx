import { formatSeconds } from "@/_components/time/format";
import { Field, Input } from "@/_components/ui/field";
import { Card } from "@/_components/ui/surface";
import type { Draft, DraftFaults } from "./form-state";

type OptionFieldsProps = {
  draft: Draft;
  faults: DraftFaults;
  onChange: (part: Partial<Draft>) => void;
};

/** When the job is run. Each field may stay empty. */
export function OptionFields({ draft, faults, onChange }: OptionFieldsProps) {
  return (
    <Card className="grid grid-cols-2 gap-4 p-4 sm:p-5">
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

function DelayPreview({ delay }: { delay: string }) {
  const seconds = Number(delay);
  if (!delay || !Number.isFinite(seconds) || seconds <= 0) return <>Starts at once</>;
  return <>Starts in {formatSeconds(seconds * 1000)}</>;
}
