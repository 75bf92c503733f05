import { expect } from "vitest";
import { runCtl } from "../../../src/cli/ctl-command.ts";
import type { Surroundings } from "../../../src/cli/ctl-desk.ts";
import { FakeClock } from "../../support/fake-clock.ts";

/** What a router answers to a call: an object with 200, or all of it. */
export type Reply = (call: SeenCall) => object | Response | Promise<object | Response>;

export interface SeenCall {
  readonly method: string;
  readonly url: string;
  readonly headers: Headers;
  readonly redirect: Request["redirect"];
  readonly body: unknown;
}

/** When every answer was sent. */
const NOW = "2026-01-02T03:04:05.000Z";

/** So many ms before, or after, the router's answer. */
export const at = (ms: number): string => new Date(Date.parse(NOW) + ms).toISOString();

/** One run of ctl before a router that answers as `reply` says. */
export async function ctl(
  argv: readonly string[],
  reply: Reply = () => ({}),
  changes: Partial<Surroundings> = {},
) {
  const calls: SeenCall[] = [];
  let stdout = "";
  let stderr = "";
  const exitCode = await runCtl(argv, {
    env: { ROUTER_API_KEY: "a-key" },
    clock: new FakeClock(),
    fetch: async (url, init) => {
      const request = new Request(url, init);
      const text = await request.text();
      const { method, headers, redirect } = request;
      const body: unknown = text === "" ? null : JSON.parse(text);
      const call = { method, url: request.url, headers, redirect, body };
      calls.push(call);
      const answer = await reply(call);
      if (answer instanceof Response) return answer;
      return Response.json(answer, { headers: { date: new Date(NOW).toUTCString() } });
    },
    page: { width: Infinity, colours: false },
    errWidth: Infinity,
    out: (text) => void (stdout += text),
    err: (text) => void (stderr += text),
    read: () => Promise.reject(new Error("ENOENT: no such file or directory")),
    onInterrupt: () => undefined,
    ...changes,
  });
  return { exitCode, stdout, stderr, calls };
}

/** The lines on stdout of a run that succeeds. */
export async function printed(
  argv: readonly string[],
  body: object,
  changes = {},
): Promise<string[]> {
  const { exitCode, stdout, stderr } = await ctl(argv, () => body, changes);
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
  return stdout.replace(/\n$/, "").split("\n");
}

/** As the router refuses. */
export function refusal(status: number, code: string, message: string): Response {
  return Response.json({ error: { code, message, type: "", param: null } }, { status });
}
