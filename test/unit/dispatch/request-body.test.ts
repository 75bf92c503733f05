import { describe, expect, test } from "vitest";
import { readBodyFields } from "../../../src/dispatch/request-body.ts";
import { RouterError } from "../../../src/errors.ts";

const read = (text: string) => readBodyFields(Buffer.from(text));

function errorOf(text: string): RouterError {
  try {
    read(text);
  } catch (error) {
    if (error instanceof RouterError) return error;
  }
  throw new Error(`${text} was not refused`);
}

describe("a body", () => {
  test("says which model, and whether to stream", () => {
    expect(read('{"model":"m"}')).toEqual({ model: "m", stream: false });
    expect(read('{"model":"m","stream":true,"other":[1]}')).toEqual({ model: "m", stream: true });
    expect(read('{"model":"m","stream":false}').stream).toBe(false);
    expect(read('{"model":"m","stream":null}').stream).toBe(false);
  });

  test("may have a name of any characters, up to 256", () => {
    expect(read(`{"model":"${"é".repeat(256)}"}`).model).toHaveLength(256);
    expect(errorOf(`{"model":"${"é".repeat(257)}"}`).param).toBe("model");
  });

  test.each([
    ["{}", "it is missing"],
    ['{"model":null}', "found null"],
    ['{"model":""}', 'found ""'],
    ['{"model":7}', "found 7"],
    ['{"model":["m"]}', 'found ["m"]'],
    ['{"nested":{"model":"m"}}', "it is missing"],
  ])("%s is refused for its model", (text, found) => {
    const error = errorOf(text);
    expect(error).toMatchObject({ code: "INVALID_REQUEST", param: "model" });
    expect(error.message).toBe(`model must be a string of 1 to 256 characters: ${found}`);
  });

  test.each(["1", '"true"', "[]", "{}"])("stream: %s is refused", (stream) => {
    const error = errorOf(`{"model":"m","stream":${stream}}`);
    expect(error).toMatchObject({ code: "INVALID_REQUEST", param: "stream" });
    expect(error.message).toBe(`stream must be true or false: found ${stream}`);
  });

  test("that is refused is not repeated at length", () => {
    const { message } = errorOf(JSON.stringify({ model: [`x${"y".repeat(1000)}`] }));
    expect(message.length).toBeLessThan(150);
    expect(message).toMatch(/…$/);
  });

  test.each(["", "{", '{"model":"m"', '{"model":"m"}}', "model=m", "\uFEFF{}", "{'model':'m'}"])(
    "%j is no JSON",
    (text) => {
      const error = errorOf(text);
      expect(error).toMatchObject({ code: "INVALID_REQUEST", param: null });
      expect(error.message).toMatch(/^the body is not valid JSON: \w+/);
    },
  );

  test.each(["[]", '[{"model":"m"}]', "null", "7", '"model"'])("%s is no object", (text) => {
    expect(errorOf(text).message).toBe("the body must be a JSON object");
  });
});
