import { describe, expect, test } from "vitest";
import { embed } from "../../../src/demo/embeddings.ts";

interface Embedded {
  readonly data: readonly { readonly index: number; readonly embedding: number[] | string }[];
  readonly usage: unknown;
}

function embedded(request: Readonly<Record<string, unknown>>): Embedded {
  return embed(request, "demo-embed") as unknown as Embedded;
}

describe("embeddings of the demo", () => {
  test("are the same for the same text, and differ between texts", () => {
    const [first, second, third] = embedded({ input: ["cat", "dog", "cat"] }).data;
    expect(first?.embedding).toEqual(third?.embedding);
    expect(first?.embedding).not.toEqual(second?.embedding);
    expect(second?.index).toBe(1);
  });

  test("have unit length", () => {
    const vector = embedded({ input: "cat" }).data[0]?.embedding as number[];
    expect(vector).toHaveLength(64);
    expect(Math.hypot(...vector)).toBeCloseTo(1, 5);
  });

  test("say the same in base64 as in floats", () => {
    const floats = embedded({ input: "cat" }).data[0]?.embedding;
    const text = embedded({ input: "cat", encoding_format: "base64" }).data[0]?.embedding as string;
    const bytes = Buffer.from(text, "base64");
    const decoded = Array.from({ length: bytes.length / 4 }, (_, at) => bytes.readFloatLE(at * 4));
    expect(decoded).toEqual(floats);
  });

  test("take token ids, and count tokens", () => {
    expect(embedded({ input: [1, 2, 3] }).data).toHaveLength(1);
    expect(embedded({ input: [[1, 2], [3]] }).data).toHaveLength(2);
    expect(embedded({ input: ["a cat", "dog"] }).usage).toEqual({
      prompt_tokens: 3,
      total_tokens: 3,
    });
  });

  test.each([[undefined], [[]], [{}], [["a", 1]]])("refuse the input %j", (input) => {
    expect(() => embedded({ input })).toThrow("input must be");
  });

  test("refuse an unknown encoding", () => {
    expect(() => embedded({ input: "a", encoding_format: "hex" })).toThrow("encoding_format");
  });
});
