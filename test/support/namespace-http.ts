import type { Namespace } from "./network-namespaces.ts";

/** A GET, of what only a key may read unless there is a `path`. */
export interface Ask {
  readonly host: string;
  readonly port: number;
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** One of the client's own, where it has several. */
  readonly localAddress?: string;
}

export interface Told {
  readonly status: number;
  readonly code: string | null;
  readonly message: string | null;
}

/** Asks in turn, each on a connection of its own. */
const CLIENT = `
  const { request } = require("node:http");
  const ask = (options) => new Promise((resolve, reject) => {
    request({ agent: false, timeout: 20_000, ...options }, (answer) => {
      let text = "";
      answer.on("data", (chunk) => (text += chunk)).on("end", () => {
        const isJson = String(answer.headers["content-type"]).includes("json");
        const { error = {} } = isJson ? JSON.parse(text) : {};
        const { code = null, message = null } = error;
        resolve({ status: answer.statusCode, code, message });
      });
    }).on("error", reject).on("timeout", function () { this.destroy(new Error("no answer")); }).end();
  });
  (async () => {
    const told = [];
    for (const one of JSON.parse(process.argv[1])) told.push(await ask(one));
    console.log(JSON.stringify(told));
  })();`;

export async function ask(from: Namespace, ...asks: readonly Ask[]): Promise<readonly Told[]> {
  const all = asks.map((one) => ({ path: "/api/v1/gpus", ...one }));
  return JSON.parse(await from.node(CLIENT, all)) as readonly Told[];
}

/** A reverse proxy as people run them: it adds its peer to X-Forwarded-For, and keeps what was there. */
const PROXY = `
  const { createServer, request } = require("node:http");
  const { listen, to } = JSON.parse(process.argv[1]);
  createServer((incoming, outgoing) => {
    const { headers, url: path, method, socket } = incoming;
    const before = headers["x-forwarded-for"];
    const peer = socket.remoteAddress;
    const sent = { ...headers, "x-forwarded-for": before ? before + ", " + peer : peer };
    const onward = request({ ...to, agent: false, path, method, headers: sent }, (answer) => {
      outgoing.writeHead(answer.statusCode, answer.headers);
      answer.pipe(outgoing);
    });
    incoming.pipe(onward.on("error", () => outgoing.destroy()));
  }).listen(listen.port, listen.host, () => console.log("ready"));`;

/** Listens in `space` on `port`; what is returned ends it. */
export function startProxy(
  space: Namespace,
  port: number,
  to: Pick<Ask, "host" | "port">,
): Promise<() => Promise<void>> {
  return space.start(PROXY, { listen: { host: "0.0.0.0", port }, to });
}
