import { describe, expect, test } from "vitest";
import { sumOfGauge } from "../../../../src/fleet/engines/prometheus-text.ts";

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
