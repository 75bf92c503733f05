import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/**
 * Workers for the soak. The request says how it wants to be treated: `hold` is never answered, and its
 * arrival is told to the parent, which then aborts it. The last worker closes each connection, so
 * that every request to it has to connect.
 */
const WORKERS = 4;
const CHUNKS = 4;
const CHUNK_GAP_MS = 2;

interface SoakBody {
  readonly id: number;
  readonly stream: boolean;
  readonly hold: boolean;
}

const models = JSON.stringify({ object: "list", data: [{ id: "soak", object: "model" }] });
const answer = JSON.stringify({
  object: "chat.completion",
  choices: [{ message: { role: "assistant", content: "word ".repeat(40) } }],
  usage: { prompt_tokens: 20, completion_tokens: 40 },
});

const urls = await Promise.all(
  Array.from({ length: WORKERS }, (_, index) => startWorker(index === WORKERS - 1)),
);
process.send?.({ urls });

async function startWorker(closesConnections: boolean): Promise<string> {
  const server = createServer((request, response) => {
    if (closesConnections) response.setHeader("connection", "close");
    if (request.method !== "POST") {
      response.setHeader("content-type", "application/json").end(models);
      return;
    }
    void readBody(request).then((body) => respond(body, response));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function readBody(request: IncomingMessage): Promise<SoakBody> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return JSON.parse(Buffer.concat(chunks).toString()) as SoakBody;
}

function respond({ id, stream, hold }: SoakBody, response: ServerResponse): void {
  if (hold) {
    process.send?.({ arrived: id });
    return;
  }
  if (!stream) {
    setTimeout(
      () => response.setHeader("content-type", "application/json").end(answer),
      CHUNK_GAP_MS,
    );
    return;
  }
  response.writeHead(200, { "content-type": "text/event-stream" });
  let sent = 0;
  const timer = setInterval(() => {
    sent += 1;
    response.write(`data: {"choices":[{"delta":{"content":"word"}}]}\n\n`);
    if (sent === CHUNKS) response.end("data: [DONE]\n\n");
  }, CHUNK_GAP_MS);
  response.once("close", () => clearInterval(timer));
}
