import { once } from "node:events";
import { request } from "node:http";
import type { IncomingMessage } from "node:http";
import { expect } from "vitest";
import { as } from "./job-api.ts";
import type { TestRouter } from "./test-router.ts";

export interface JobEvent {
  readonly event: string;
  readonly id: number;
  readonly data: Readonly<Record<string, unknown>>;
}

/** Follows a job on a connection of its own, event by event. */
export async function followJob(
  router: TestRouter,
  id: string,
  headers: Readonly<Record<string, string>> = as(router.keys.user),
) {
  const path = `/api/v1/requests/${id}/events`;
  const outgoing = request(router.url + path, { agent: false, headers });
  outgoing.end();
  const [answer] = (await once(outgoing, "response")) as [IncomingMessage];
  expect(answer.statusCode).toBe(200);
  const events = readEvents(answer);
  return {
    answer,
    leave: () => outgoing.destroy(),
    async next(): Promise<JobEvent> {
      const { value, done } = await events.next();
      if (done === true) throw new Error("the stream has ended");
      return value;
    },
    /** Those that are left, up to the end of the stream. */
    async rest(): Promise<JobEvent[]> {
      const rest: JobEvent[] = [];
      for await (const event of events) rest.push(event);
      return rest;
    },
  };
}

/** Each event must look exactly as documented: three lines and an empty one. */
const EVENT = /^event: (\w+)\nid: (\d+)\ndata: (\{.*\})$/;

async function* readEvents(answer: IncomingMessage): AsyncGenerator<JobEvent, void> {
  let text = "";
  for await (const chunk of answer.setEncoding("utf8")) {
    text += String(chunk);
    const parts = text.split("\n\n");
    text = parts.pop()!;
    for (const part of parts.filter((one) => one !== ": ping")) {
      const [, event = "", id, data = ""] = EVENT.exec(part) ?? [];
      expect(event, part).not.toBe("");
      yield { event, id: Number(id), data: JSON.parse(data) as JobEvent["data"] };
    }
  }
  expect(text).toBe("");
}
