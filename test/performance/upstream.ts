import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { serveCpu } from "./cpu-child.ts";

/** Workers that cost nothing: each answers every POST at once, with about a kilobyte of JSON. */
const WORKERS = 16;

const answer = JSON.stringify({
  id: "chatcmpl-1",
  object: "chat.completion",
  created: 1_760_000_000,
  model: "bench",
  choices: [
    {
      index: 0,
      message: { role: "assistant", content: "word ".repeat(150) },
      finish_reason: "stop",
    },
  ],
  usage: { prompt_tokens: 100, completion_tokens: 150, total_tokens: 250 },
});
const models = JSON.stringify({ object: "list", data: [{ id: "bench", object: "model" }] });

const urls = await Promise.all(Array.from({ length: WORKERS }, startWorker));
serveCpu(urls);

async function startWorker(): Promise<string> {
  const server = createServer((request, response) => {
    const body = request.method === "POST" ? answer : models;
    request.resume().once("end", () => {
      const headers = ["content-type", "application/json", "content-length", String(body.length)];
      response.writeHead(200, headers).end(body);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
