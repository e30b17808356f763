import { useMemo } from "react";
import type { JobType } from "@/_api/types";
import { JsonEditor, type LineFault, payloadFault } from "@/_components/json/json-editor";
import { setMember } from "@/_components/json/layout";
import { cx } from "@/_components/ui/cx";
import { Card } from "@/_components/ui/surface";
import { type Draft, newDraft } from "./form-state";
import { schemaFields } from "./schema-fields";
import { SchemaInput } from "./schema-input";

type PayloadFieldsProps = {
  type: JobType;
  payload: string;
  lines: LineFault[];
  /** What the server says, by the name of a member. */
  faults: Record<string, string>;
  onChange: (part: Partial<Draft>) => void;
};

/** The payload twice: as a form made from the type's schema, and as the text that is sent. */
export function PayloadFields({ type, payload, lines, faults, onChange }: PayloadFieldsProps) {
  const fields = useMemo(() => schemaFields(type.schema), [type.schema]);
  const broken = payloadFault(payload) !== undefined;
  return (
    <Card className={cx("grid gap-x-6 gap-y-5 p-4 sm:p-5", fields.length > 0 && "md:grid-cols-2")}>
      {fields.length > 0 && (
        <fieldset className="grid min-w-0 grid-cols-2 content-start gap-x-4 gap-y-3.5">
          <legend className="sr-only">Payload fields</legend>
          {fields.map((field) => (
            <SchemaInput
              key={`${type.name}.${field.name}`}
              field={field}
              payload={payload}
              broken={broken}
              refused={Object.hasOwn(faults, field.name) ? faults[field.name] : undefined}
              onChange={(source) => onChange({ payload: setMember(payload, field.name, source) })}
            />
          ))}
        </fieldset>
      )}
      <JsonEditor
        label="Payload (JSON)"
        value={payload}
        onChange={(text) => onChange({ payload: text })}
        faults={lines}
        onReset={() => onChange({ payload: newDraft(type).payload })}
        resetLabel="Example"
      />
    </Card>
  );
}
