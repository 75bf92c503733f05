import { expect, test } from "vitest";
import {
  fieldsOf,
  parseRow,
  WHOLE_QUERY,
  withoutField,
  type Query,
} from "../../../../../src/fleet/sources/nvidia-smi/columns.ts";

const THREE: Query = [
  { column: "index", fields: ["index"] },
  { column: "temperature", fields: ["temperature.gpu"] },
  { column: "name", fields: ["name"] },
];

test("a name may hold commas", () => {
  expect(parseRow("0, 41, GRID A100D-4C, rev 2", THREE)).toEqual({
    index: "0",
    temperature: "41",
    name: "GRID A100D-4C, rev 2",
  });
});

test("what has too few cells is no row", () => {
  expect(parseRow("No devices were found", THREE)).toBeNull();
  expect(parseRow("0, 41", THREE)).toBeNull();
});

test("a field that is refused is asked by its older name, and then no more", () => {
  const older = withoutField(WHOLE_QUERY, "clocks_event_reasons.active");
  expect(fieldsOf(older!)).toContain(",clocks_throttle_reasons.active,");
  const without = withoutField(older!, "clocks_throttle_reasons.active");
  expect(without).toHaveLength(WHOLE_QUERY.length - 1);
  expect(fieldsOf(without!)).not.toContain("reasons");
});

test.each(["uuid", "index", "name", "fan.speed"])("%s cannot be left out of the query", (field) => {
  expect(withoutField(WHOLE_QUERY, field)).toBeNull();
});

test("the name is asked last, where its commas do no harm", () => {
  expect(fieldsOf(WHOLE_QUERY)).toMatch(/,name$/);
});
