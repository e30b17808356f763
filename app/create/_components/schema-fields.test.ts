import { expect, it } from "vitest";
import { numberFault, type SchemaField, schemaFields } from "./schema-fields";

it("makes fields of the flat properties only", () => {
  const fields = schemaFields({
    type: "object",
    required: ["to"],
    properties: {
      to: { type: "string", description: "Who", default: "you" },
      rows: { type: ["integer", "null"], minimum: 0, maximum: 9 },
      format: { type: "string", enum: ["pdf", "csv"] },
      loud: { type: "boolean" },
      nested: { type: "object", properties: {} },
      odd: { enum: [1, "a"] },
      anything: {},
    },
  });
  expect(fields.map(({ name, kind }) => `${name}: ${kind}`)).toEqual([
    "to: text",
    "rows: integer",
    "format: choice",
    "loud: boolean",
  ]);
  expect(fields[0]).toMatchObject({ required: true, fallback: '"you"', description: "Who" });
  for (const nothing of [undefined, null, {}, { properties: 3 }, []])
    expect(schemaFields(nothing)).toEqual([]);
});

it("says what is wrong with a number", () => {
  const field: SchemaField = {
    name: "n",
    kind: "integer",
    description: "",
    required: false,
    choices: [],
    fallback: undefined,
    minimum: 0,
    maximum: 10,
  };
  expect(numberFault(field, "5")).toBeUndefined();
  expect(numberFault(field, "1.5")).toMatch(/whole/);
  expect(numberFault(field, "-1")).toMatch(/At least 0/);
  expect(numberFault(field, "11")).toMatch(/At most 10/);
  for (const text of ["x", "01", "1.", "--1", "Infinity"]) expect(numberFault(field, text)).toMatch(/number/);
});
