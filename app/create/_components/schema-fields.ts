// The fields that a form can show of a job type's JSON Schema: the flat ones. The rest is for the JSON editor.

export type SchemaField = {
  name: string;
  kind: "text" | "number" | "integer" | "boolean" | "choice";
  description: string;
  required: boolean;
  choices: string[];
  /** What the handler takes where the field is left out, as JSON. */
  fallback: string | undefined;
  minimum: number | undefined;
  maximum: number | undefined;
};

export function schemaFields(schema: unknown): SchemaField[] {
  if (!isRecord(schema) || !isRecord(schema.properties)) return [];
  const required = Array.isArray(schema.required) ? schema.required : [];
  return Object.entries(schema.properties).flatMap(([name, node]) => {
    const kind = isRecord(node) ? kindOf(node) : undefined;
    if (!isRecord(node) || !kind) return [];
    return {
      name,
      kind,
      description: typeof node.description === "string" ? node.description : "",
      required: required.includes(name),
      choices: Array.isArray(node.enum) ? node.enum.filter((value) => typeof value === "string") : [],
      fallback: node.default === undefined ? undefined : JSON.stringify(node.default),
      minimum: typeof node.minimum === "number" ? node.minimum : undefined,
      maximum: typeof node.maximum === "number" ? node.maximum : undefined,
    };
  });
}

function kindOf(node: Record<string, unknown>): SchemaField["kind"] | undefined {
  if (Array.isArray(node.enum)) {
    return node.enum.every((value) => typeof value === "string") ? "choice" : undefined;
  }
  // A field that may be null as well is shown as what it is otherwise.
  const type = Array.isArray(node.type) ? node.type.find((name) => name !== "null") : node.type;
  if (type === "string") return "text";
  return type === "number" || type === "integer" || type === "boolean" ? type : undefined;
}

/** What is wrong with a typed number, or nothing. */
export function numberFault(field: SchemaField, text: string): string | undefined {
  if (!/^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/.test(text)) return "This is not a number.";
  if (field.kind === "integer" && !/^-?\d+$/.test(text)) return "A whole number is expected.";
  const value = Number(text);
  if (field.minimum !== undefined && value < field.minimum) return `At least ${field.minimum}.`;
  if (field.maximum !== undefined && value > field.maximum) return `At most ${field.maximum}.`;
  return undefined;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
