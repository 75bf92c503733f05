import { execFile } from "node:child_process";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { afterEach, expect, test } from "vitest";
import { ROOT } from "../house/source-text.ts";

/** What `npm run test:performance` says of a router that is slow, and of one that fails. */
type Answer = (response: ServerResponse, isStream: boolean) => void;

const stops: (() => void)[] = [];
afterEach(() => {
  for (const stop of stops.splice(0)) stop();
});

test("one that answers nothing within the run is slow, and no failure", async () => {
  const { code, output } = await measure((response, isStream) => {
    if (isStream) response.end("data: {}\n\ndata: [DONE]\n\n");
  });
  expect(output).toContain("JSON, whole answer: none came in 1 s");
  expect(code).toBe(0);
});

test("one that refuses is a failure, and so is a stream that breaks off", async () => {
  const refused = await measure((response) => response.writeHead(500).end("{}"));
  expect(refused.output).toMatch(/\d x JSON: status 500/);
  expect(refused.code).toBe(1);
  const broken = await measure((response, isStream) => response.end(isStream ? "data: {}" : "{}"));
  expect(broken.output).toMatch(/\d x stream: it broke off before its end/);
  expect(broken.code).toBe(1);
});

/** Runs it for a second on one connection. */
async function measure(answer: Answer): Promise<{ code: number; output: string }> {
  const url = await serve(answer);
  const env = { ...process.env, ROUTER_URL: url, ROUTER_API_KEY: "any", ROUTER_MODEL: "any" };
  return new Promise((resolve) => {
    const args = ["test/performance/load.ts", "1", "1"];
    execFile(process.execPath, args, { cwd: ROOT, env }, (error, stdout, stderr) => {
      resolve({ code: Number(error?.code ?? 0), output: stdout + stderr });
    });
  });
}

async function serve(answer: Answer): Promise<string> {
  const reply = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const body = await text(request);
    if (request.method === "GET") response.end(JSON.stringify({ data: [{ id: "any" }] }));
    else answer(response, body.includes('"stream":true'));
  };
  const server = createServer((request, response) => void reply(request, response));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  stops.push(() => {
    server.close();
    server.closeAllConnections();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
