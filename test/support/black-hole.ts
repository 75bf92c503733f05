import { once } from "node:events";
import { connect } from "node:net";
import { Worker } from "node:worker_threads";

export interface BlackHole {
  close(): Promise<void>;
}

/** Listens with the shortest backlog, then sleeps until it is terminated: nothing is ever accepted. */
const LISTEN_AND_SLEEP = `
  const { createServer } = require("node:net");
  const { parentPort, workerData: port } = require("node:worker_threads");
  createServer().listen({ port, host: "127.0.0.1", backlog: 1 }, () => {
    parentPort.postMessage("listening");
    setImmediate(() => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0));
  });
`;

/** What the kernel takes by itself before it drops: the backlog and one. */
const BACKLOG = 2;
const FILLERS = 8;

/** From now on this free port of loopback answers no SYN, as behind a firewall that drops. */
export async function openBlackHole(port: number): Promise<BlackHole> {
  const thread = new Worker(LISTEN_AND_SLEEP, { eval: true, workerData: port });
  await once(thread, "message");
  const fillers = Array.from({ length: FILLERS }, () => connect(port, "127.0.0.1"));
  for (const filler of fillers) filler.on("error", () => {});
  await Promise.all(fillers.slice(0, BACKLOG).map((filler) => once(filler, "connect")));
  return {
    async close() {
      for (const filler of fillers) filler.destroy();
      await thread.terminate();
    },
  };
}
