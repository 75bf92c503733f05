import { describe, expect, test } from "vitest";
import { samplesOf, sumOfGauge } from "../../../../src/fleet/engines/prometheus-text.ts";

const NAME = "vllm:num_requests_running";

describe("a gauge in Prometheus text", () => {
  test.each([
    ["without labels", `${NAME} 3`, 3],
    ["with labels", `${NAME}{engine="0",model_name="llama"} 3.0`, 3],
    ["with a timestamp", `${NAME}{engine="0"} 3 1700000000000`, 3],
    ["on Windows lines", `# TYPE x gauge\r\n${NAME} 3\r\n`, 3],
    ["in exponent form", `${NAME} 1.2e+01`, 12],
    ["with braces, quotes and spaces in a label", `${NAME}{m="a} \\" b{"} 3`, 3],
  ])("%s is read", (_, text, expected) => {
    expect(sumOfGauge(text, NAME)).toBe(expected);
  });

  test("is summed over its label sets", () => {
    const text = `# HELP ${NAME} Requests.\n# TYPE ${NAME} gauge\n${NAME}{engine="0"} 3\n${NAME}{engine="1"} 4\n`;
    expect(sumOfGauge(text, NAME)).toBe(7);
  });

  test("is not taken from another metric whose name begins or ends alike", () => {
    expect(sumOfGauge(`${NAME}_total 9\nx_${NAME} 9\n${NAME} 2\n`, NAME)).toBe(2);
  });

  test.each(["", `# HELP ${NAME} 5`, NAME, `${NAME}{`, `${NAME} NaN`, `${NAME} +Inf`])(
    "that is not there is null: %j",
    (text) => {
      expect(sumOfGauge(text, NAME)).toBeNull();
    },
  );
});

describe("samples", () => {
  const names = new Set(["temp", "power"]);
  const read = (text: string) =>
    [...samplesOf(text, names)].map(({ name, labels, value }) => {
      return [name, Object.fromEntries(labels), value];
    });

  test("are those of the metrics that were asked for, in the order of the text", () => {
    const text = `# HELP temp 1\nother 5\ntemp{gpu="0"} 1\ntemperature 9\npower 2\ntemp{gpu="1"} 3`;
    expect(read(text)).toEqual([
      ["temp", { gpu: "0" }, 1],
      ["power", {}, 2],
      ["temp", { gpu: "1" }, 3],
    ]);
  });

  test.each([
    ["nothing in braces", "temp{} 1", {}],
    ["blanks and a comma too many", 'temp{ a = "1" , b="2", } 1', { a: "1", b: "2" }],
    ["braces, commas and a hash", 'temp{a="}, b=\\"x\\" #{"} 1', { a: '}, b="x" #{' }],
    ["escapes", 'temp{a="C:\\\\d\\nnew"} 1', { a: "C:\\d\nnew" }],
    ["a timestamp", 'temp{a="x"} 1 1700000000000', { a: "x" }],
    ["Windows lines", 'temp{a="x"} 1\r', { a: "x" }],
    ["no label's value", 'temp{a=""} 1', { a: "" }],
  ])("with %s are read", (_, line, labels) => {
    expect(read(line)).toEqual([["temp", labels, 1]]);
  });

  test.each([
    ["1.2e+03", 1200],
    ["-0.5", -0.5],
    ["NaN", Number.NaN],
    ["+Inf", Number.NaN],
    ["ERROR - no text", Number.NaN],
  ])("have the value %s as %d", (text, value) => {
    expect(read(`temp ${text}`)).toEqual([["temp", {}, value]]);
  });

  test.each(["temp", "temp{", 'temp{a="x', 'temp{a="x" 1', "temp{a=x} 1", "temp} 1", "temp{}"])(
    "that break off or make no sense are left out: %s",
    (line) => {
      expect(read(`${line}\npower 2`)).toEqual([["power", {}, 2]]);
    },
  );
});
