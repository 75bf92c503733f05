import OpenAI from "openai";
import { expect, test } from "vitest";
import { startDemoFleet } from "../../src/demo/demo-fleet.ts";
import { hurrying } from "../support/hurrying-clock.ts";

const hello = { model: "demo-small", messages: [{ role: "user" as const, content: "Hello" }] };

test("the official openai client chats, streams, embeds and lists with a demo worker", async () => {
  const own = await startDemoFleet({ clock: hurrying, host: "::1", makeKey: () => "unused" });
  const client = new OpenAI({ baseURL: `${own.workers[2]?.url}/v1`, apiKey: "unused" });
  const chat = await client.chat.completions.create(hello);
  let streamed = "";
  for await (const chunk of await client.chat.completions.create({ ...hello, stream: true })) {
    streamed += chunk.choices[0]?.delta.content ?? "";
  }
  expect(streamed).toContain("Simulated L40S 48GB");
  expect(streamed).toBe(chat.choices[0]?.message.content);
  const embedded = await client.embeddings.create({ model: "demo-embed", input: "cat" });
  expect(embedded.data[0]?.embedding).toHaveLength(64);
  expect((await client.models.list()).data.map(({ id }) => id)).toContain("demo-embed");
  const unknown = client.chat.completions.create({ ...hello, model: "gpt-9" });
  await expect(unknown).rejects.toThrow(OpenAI.NotFoundError);
  await own.close();
});
