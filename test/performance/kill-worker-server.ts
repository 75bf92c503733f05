import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** One worker in a process of its own, so that it can be killed; on the port that it is given, or a free one. */
const PORT = Number(process.argv[2] ?? 0);
const EVENTS = 5;
/** On average; 0 to twice as much, or all clients would end and begin in the same moment. */
const EVENT_GAP_MS = 20;

const models = JSON.stringify({ object: "list", data: [{ id: "bench", object: "model" }] });
const answer = JSON.stringify({
  object: "chat.completion",
  choices: [{ message: { role: "assistant", content: "word ".repeat(40) } }],
  usage: { prompt_tokens: 20, completion_tokens: 40 },
});

const server = createServer((request, response) => {
  if (request.method !== "POST") {
    response.setHeader("content-type", "application/json").end(models);
    return;
  }
  void answerTo(request, response);
});
server.listen(PORT, "127.0.0.1", () => {
  const { port } = server.address() as AddressInfo;
  process.send?.({ urls: [`http://127.0.0.1:${port}`] });
});

async function answerTo(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const body = await readBody(request);
  if (body.includes('"stream":true')) sendStream(response);
  else setTimeout(() => sendJson(response), EVENTS * someGapMs());
}

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}

function sendJson(response: ServerResponse): void {
  response.setHeader("content-type", "application/json").end(answer);
}

function sendStream(response: ServerResponse): void {
  response.writeHead(200, { "content-type": "text/event-stream" });
  let sent = 0;
  const sendNext = (): void => {
    if (response.destroyed) return;
    response.write(`data: {"choices":[{"delta":{"content":"word"}}]}\n\n`);
    sent += 1;
    if (sent === EVENTS) response.end("data: [DONE]\n\n");
    else setTimeout(sendNext, someGapMs());
  };
  setTimeout(sendNext, someGapMs());
}

function someGapMs(): number {
  return Math.random() * 2 * EVENT_GAP_MS;
}
