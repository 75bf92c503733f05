import { describe, expect, test } from "vitest";
import { countEvents, readUsage } from "../../../src/dispatch/usage.ts";

const usageOf = (text: string) => readUsage(Buffer.from(text));

describe("token usage", () => {
  test("is read in OpenAI's names", () => {
    const answer = { usage: { prompt_tokens: 12, completion_tokens: 345, total_tokens: 357 } };
    const expected = { promptTokens: 12, completionTokens: 345 };
    expect(usageOf(JSON.stringify(answer))).toEqual(expected);
    expect(usageOf(JSON.stringify(answer, null, 4))).toEqual(expected);
  });

  test("is read in the names of the responses and messages APIs", () => {
    expect(usageOf('{"usage":{"input_tokens":5,"output_tokens":6}}')).toEqual({
      promptTokens: 5,
      completionTokens: 6,
    });
  });

  test("is that of the last object, as streams repeat it", () => {
    const chunks = [1, 2, 3].map((n) => `data: {"usage":{"completion_tokens":${n}}}\n\n`);
    expect(usageOf(`${chunks.join("")}data: [DONE]\n\n`).completionTokens).toBe(3);
  });

  test.each([0, 1, 490, 500, 505, 512, 600, 5000])(
    "is found with %i bytes after it, by which some engines tell their timings",
    (bytes) => {
      const usage = '{"usage":{"prompt_tokens":12,"completion_tokens":345},"timings":"';
      expect(usageOf(usage + "x".repeat(bytes))).toEqual({
        promptTokens: 12,
        completionTokens: 345,
      });
    },
  );

  test.each([
    '"prompt_tokens" 5',
    '"prompt_tokens":-5',
    '"prompt_tokens":"5"',
    '"prompt_tokens"',
    '"prompt_tokens":+5',
    '"prompt_tokens":',
  ])("is unknown from %s", (text) => expect(usageOf(text).promptTokens).toBeNull());

  test("is unknown where the worker says nothing, or null", () => {
    const nothing = { promptTokens: null, completionTokens: null };
    expect(usageOf("")).toEqual(nothing);
    expect(usageOf('{"usage":null}')).toEqual(nothing);
    expect(usageOf('{"completion_tokens":null,"prompt_tokens":"many"}')).toEqual(nothing);
  });

  test("is not read out of what the model wrote, nor out of the details", () => {
    const content = 'say "completion_tokens": 999';
    const answer = { usage: { completion_tokens: 7 }, choices: [{ message: { content } }] };
    expect(usageOf(JSON.stringify(answer)).completionTokens).toBe(7);
    const detailed = '{"completion_tokens":7,"completion_tokens_details":{"reasoning_tokens":3}}';
    expect(usageOf(detailed).completionTokens).toBe(7);
  });
});

test("the events of a chunk are counted", () => {
  const count = (text: string) => countEvents(Buffer.from(text));
  expect(count('data: {"a":1}\n\ndata: {"a":2}\n\ndata: [DONE]\n\n')).toBe(3);
  expect(count("event: ping\n\n")).toBe(0);
  expect(count("")).toBe(0);
});
