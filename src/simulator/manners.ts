import type { Dice } from "./dice.ts";
import type { Step } from "./exchange.ts";
import type { WorkerMood } from "./scene.ts";

/** What a worker is asked, and how fast it is now. */
export interface Ask {
  /** In every byte of the answer, so that a mixed-up answer shows. */
  readonly mark: string;
  readonly model: string;
  readonly stream: boolean;
  /** Alone on this connection, were all well. */
  readonly answerMs: number;
}

type Manner = (ask: Ask, dice: Dice) => readonly Step[];

const CONNECT: Step = { afterMs: 0.5, does: "connect" };

/** What a worker in this mood does with one request, step by step. */
export function scriptFor(mood: WorkerMood, ask: Ask, dice: Dice): readonly Step[] {
  return MANNERS[mood](ask, dice);
}

const MANNERS: Readonly<Record<WorkerMood, Manner>> = {
  well: answer,
  slow: (ask, dice) => answer({ ...ask, answerMs: ask.answerMs * 20 }, dice),
  refuses: () => [{ afterMs: 0.5, does: "break", code: "ECONNREFUSED" }],
  unroutable: (_, dice) => {
    const code = dice.pick(["EHOSTUNREACH", "UND_ERR_CONNECT_TIMEOUT", "ENOTFOUND"]);
    return [{ afterMs: dice.pick([1, 2000]), does: "break", code }];
  },
  hangs: (ask, dice) => [CONNECT, ...(dice.chance(0.3) ? firstPart(ask) : [])],
  fails: (_, dice) => refusal(dice.pick([500, 502, 500]), dice.between(1, 20)),
  breaks: (ask, dice) => {
    const code = dice.pick(["ECONNRESET", "UND_ERR_SOCKET", "EPIPE"]);
    const seen = dice.chance(0.5) ? firstPart(ask) : [];
    return [CONNECT, ...seen, { afterMs: dice.between(0, 100), does: "break", code }];
  },
  busy: (_, dice) => {
    const headers = dice.chance(0.5) ? { "retry-after": String(dice.whole(0, 3)) } : {};
    return refusal(dice.pick([429, 503]), dice.between(1, 20), headers);
  },
  locked: (_, dice) => refusal(dice.pick([401, 403]), 1),
  booting: (_, dice) => refusal(503, dice.between(1, 20)),
  babbles: babble,
  mixed: (ask, dice) => dice.weighted(MIX)(ask, dice),
};

const MIX: readonly (readonly [Manner, number])[] = [
  [answer, 12],
  [(ask, dice) => MANNERS.fails(ask, dice), 2],
  [(ask, dice) => MANNERS.breaks(ask, dice), 2],
  [(ask, dice) => MANNERS.busy(ask, dice), 1],
  [(ask, dice) => MANNERS.refuses(ask, dice), 1],
  [(ask, dice) => MANNERS.hangs(ask, dice), 1],
  [(ask, dice) => MANNERS.slow(ask, dice), 1],
  [babble, 2],
  [(_, dice) => refusal(dice.pick([400, 404, 413, 422]), 2), 1],
  [
    ({ model }) => [CONNECT, ...whole(404, 1, `{"error":"the model ${model} does not exist"}`)],
    0.3,
  ],
];

function answer(ask: Ask, dice: Dice): readonly Step[] {
  const informed: Step = { afterMs: 1, does: "head", status: 103, headers: {} };
  const start = dice.chance(0.05) ? [CONNECT, informed] : [CONNECT];
  return [...start, ...(ask.stream ? streamed(ask, dice) : collected(ask, dice))];
}

const TOKENS = 12;

function collected({ mark, answerMs }: Ask, dice: Dice): readonly Step[] {
  const body = `{"mark":"${mark}","usage":{"prompt_tokens":5,"completion_tokens":${TOKENS}}}`;
  if (dice.chance(0.7)) return whole(200, answerMs, body);
  const [head, ...rest] = whole(200, answerMs / 2, body);
  const half = { afterMs: 0, does: "data", chunk: Buffer.from(body.slice(0, 9)) } as const;
  const tail = Buffer.from(body.slice(9));
  const end = rest.at(-1)!;
  return [head, half, { afterMs: answerMs / 2, does: "data", chunk: tail }, end];
}

function streamed({ mark, answerMs }: Ask, dice: Dice): readonly Step[] {
  const steps: Step[] = [{ afterMs: answerMs / 4, does: "head", status: 200, headers: EVENTS }];
  if (dice.chance(0.1)) steps.push({ afterMs: 0, does: "data", chunk: PING });
  const chunks = dice.whole(1, 6);
  for (let at = 0; at < chunks; at++) {
    // Now and then several events come in one read.
    const afterMs = dice.chance(0.2) ? 0 : answerMs / chunks;
    steps.push({ afterMs, does: "data", chunk: event(`{"mark":"${mark}","at":${at}}`) });
    if (dice.chance(0.05)) steps.push({ afterMs: 0, does: "data", chunk: PING });
  }
  const usage = `{"usage":{"prompt_tokens":5,"completion_tokens":${TOKENS}}}`;
  steps.push({ afterMs: 0, does: "data", chunk: event(usage) });
  steps.push({ afterMs: 0, does: "data", chunk: event("[DONE]") });
  steps.push({ afterMs: 0, does: "end" });
  return steps;
}

/** What breaks off after it. */
function firstPart({ mark, stream, answerMs }: Ask): Step[] {
  const headers = stream ? EVENTS : JSON_HEADERS;
  const text = `{"mark":"${mark}","at":0`;
  return [
    { afterMs: answerMs / 2, does: "head", status: 200, headers },
    { afterMs: 0, does: "data", chunk: stream ? event(`${text}}`) : Buffer.from(text) },
  ];
}

/** A whole answer of which nothing can be used. */
function babble(ask: Ask, dice: Dice): readonly Step[] {
  const { mark, stream, answerMs } = ask;
  const asked = stream ? EVENTS : JSON_HEADERS;
  const [headers, text] = dice.pick([
    [{ "content-type": "text/html" }, `<html>${mark}</html>`],
    [{}, `{"mark":"${mark}"}`],
    [{ ...asked, "content-encoding": "gzip" }, `{"mark":"${mark}"}`],
    [asked, stream ? "" : `{"mark":"${mark}"`],
  ]);
  const chunk = Buffer.from(text);
  const data: readonly Step[] = chunk.length > 0 ? [{ afterMs: 0, does: "data", chunk }] : [];
  const head: Step = { afterMs: answerMs / 4, does: "head", status: 200, headers };
  return [CONNECT, head, ...data, { afterMs: 0, does: "end" }];
}

function refusal(status: number, afterMs: number, more: Record<string, string> = {}): Step[] {
  const steps = whole(status, afterMs, `{"error":{"message":"status ${status}"}}`);
  const head = steps[0];
  if (head.does === "head") steps[0] = { ...head, headers: { ...head.headers, ...more } };
  return [CONNECT, ...steps];
}

function whole(status: number, afterMs: number, body: string): [Step, ...Step[]] {
  return [
    { afterMs, does: "head", status, headers: JSON_HEADERS },
    { afterMs: 0, does: "data", chunk: Buffer.from(body) },
    { afterMs: 0, does: "end" },
  ];
}

const JSON_HEADERS = { "content-type": "application/json" };
const EVENTS = { "content-type": "text/event-stream" };

/** A comment: it keeps a connection open, and says nothing. */
export const PING = Buffer.from(": ping\n\n");

function event(data: string): Buffer {
  return Buffer.from(`data: ${data}\n\n`);
}
