import { useState } from "react";
import { member, parseJson } from "@/_components/json/parse";
import { visible } from "@/_components/text/visible";
import { Field, Input, Select } from "@/_components/ui/field";
import { numberFault, type SchemaField } from "./schema-fields";

type SchemaInputProps = {
  field: SchemaField;
  payload: string;
  broken: boolean;
  /** What the server says of it. */
  refused: string | undefined;
  onChange: (source: string | undefined) => void;
};

/** What a field has in the payload: its text for the input, or nothing if it is of a kind that the input cannot show. */
function currentValue(payload: string, name: string): { text: string; foreign: boolean } {
  const parsed = parseJson(payload);
  const node = parsed.ok ? member(parsed.root, name) : undefined;
  if (!node) return { text: "", foreign: false };
  if (node.kind === "string") return { text: node.text, foreign: false };
  const foreign = node.kind === "object" || node.kind === "array";
  return { text: foreign ? "" : payload.slice(node.start, node.end), foreign };
}

/** One field of the schema. An empty input takes the member out of the payload. */
export function SchemaInput({ field, payload, broken, refused, onChange }: SchemaInputProps) {
  // A number that is not one yet stays here, and out of the payload, until it is.
  const [unfinished, setUnfinished] = useState<string>();
  const { text, foreign } = currentValue(payload, field.name);
  const locked = broken || foreign;
  const fault = unfinished === undefined ? refused : numberFault(field, unfinished);
  const placeholder = field.fallback === undefined ? "" : field.fallback.replace(/^"(.*)"$/, "$1");
  const name = `${visible(field.name)}${field.required ? " (required)" : ""}`;

  function typeNumber(value: string) {
    if (value !== "" && numberFault(field, value)) {
      setUnfinished(value);
      return;
    }
    setUnfinished(undefined);
    onChange(value || undefined);
  }

  return (
    <Field
      label={name}
      mono
      className={field.kind === "text" ? "col-span-2" : "col-span-2 min-[420px]:col-span-1"}
      error={fault && visible(fault)}
      hint={foreign ? "Only the JSON can show this value." : visible(field.description) || undefined}
    >
      {(control) => {
        if (field.kind === "choice" || field.kind === "boolean") {
          const choices = field.kind === "boolean" ? ["true", "false"] : field.choices;
          return (
            <Select
              {...control}
              disabled={locked}
              value={text}
              onChange={({ target }) => {
                const source = field.kind === "boolean" ? target.value : JSON.stringify(target.value);
                onChange(target.value === "" ? undefined : source);
              }}
            >
              <option value="">{placeholder ? `Default (${placeholder})` : "Left out"}</option>
              {choices.map((choice) => (
                <option key={choice} value={choice}>
                  {visible(choice)}
                </option>
              ))}
            </Select>
          );
        }
        const numeric = field.kind !== "text";
        return (
          <Input
            {...control}
            disabled={locked}
            value={unfinished ?? text}
            placeholder={placeholder}
            {...(numeric ? { inputMode: "decimal" as const, className: "tabular" } : {})}
            onChange={({ target }) => {
              if (numeric) typeNumber(target.value);
              else onChange(target.value === "" ? undefined : JSON.stringify(target.value));
            }}
          />
        );
      }}
    </Field>
  );
}
