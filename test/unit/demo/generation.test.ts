import { describe, expect, test } from "vitest";
import { composeAnswer } from "../../../src/demo/generation.ts";
import { chatPrompt, textPrompt } from "../../../src/demo/prompt.ts";

const speaker = { model: "demo-small", gpuName: "Simulated H100 80GB" };

function answerTo(text: string, settings: Readonly<Record<string, unknown>> = {}) {
  return composeAnswer(settings, textPrompt({ prompt: text }), speaker);
}

describe("an answer of the demo", () => {
  test("says that it is simulated, who answered, and echoes the prompt", () => {
    expect(answerTo("Hello there").tokens.join("")).toBe(
      "Simulated answer: demo-small on Simulated H100 80GB, no real model ran. " +
        "You said: “Hello there”",
    );
  });

  test("echoes only a little of a long prompt", () => {
    const { tokens, finishReason } = answerTo("one two three four five six seven eight");
    expect(tokens.join("")).toMatch(/You said: “one two three four five six …”$/);
    expect(tokens.length).toBeLessThanOrEqual(24);
    expect(finishReason).toBe("stop");
    expect(answerTo("x".repeat(10_000)).tokens.join("").length).toBeLessThan(200);
  });

  test("is cut at max_tokens, and max_completion_tokens goes first", () => {
    const cut = { tokens: ["Simulated ", "answer: "], finishReason: "length" };
    expect(answerTo("Hello", { max_tokens: 2 })).toEqual(cut);
    expect(answerTo("Hello", { max_tokens: 9, max_completion_tokens: 2 })).toEqual(cut);
    expect(answerTo("Hello", { max_tokens: null }).finishReason).toBe("stop");
  });

  test("goes on to max_tokens with ignore_eos, but not beyond the demo's bound", () => {
    const long = answerTo("Hello", { max_tokens: 100, ignore_eos: true });
    expect(long.tokens).toHaveLength(100);
    expect(long.finishReason).toBe("length");
    expect(answerTo("Hello", { max_tokens: 1e9, ignore_eos: true }).tokens).toHaveLength(4096);
  });

  test.each([0, -1, 1.5, "10"])("is refused with max_tokens %j", (value) => {
    expect(() => answerTo("Hello", { max_tokens: value })).toThrow(
      "max_tokens must be a whole number of at least 1.",
    );
  });
});

describe("a prompt", () => {
  test("of a chat is its last user message, counted over all messages", () => {
    const messages = [
      { role: "system", content: "Be brief." },
      { role: "user", content: [{ type: "text", text: "What is" }, { type: "image_url" }] },
      { role: "assistant", content: "What?" },
    ];
    expect(chatPrompt({ messages })).toEqual({ question: "What is", tokens: 5 });
  });

  test.each([[undefined], [[]], ["hi"], [["hi"]]])("refuses messages %j", (messages) => {
    expect(() => chatPrompt({ messages })).toThrow("messages must be a non-empty list");
  });

  test("of a completion may be wrapped in a list of one, as clients do", () => {
    expect(textPrompt({ prompt: ["Hello there"] })).toEqual({ question: "Hello there", tokens: 2 });
    expect(() => textPrompt({ prompt: ["a", "b"] })).toThrow("prompt must be one text");
  });
});
