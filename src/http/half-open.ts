import type { Server, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Clock, Timer } from "../clock.ts";

/**
 * A client that went away and one that has only finished sending look alike: both send a FIN. Some
 * simple clients do the latter, and still read. Only what is written tells them apart, so an interim
 * answer is: a client that reads skips it, as HTTP/1.1 says it must, and one that is gone refuses it
 * with a reset, which frees the worker.
 */

/** Of all interim answers the one that simple clients know best. */
const INTERIM = "HTTP/1.1 100 Continue\r\n\r\n";
/** The reset comes after a round trip, and only the next write meets it. */
const AGAIN_AFTER_MS = [10, 40, 200, 1000];
const THEN_EVERY_MS = 5000;

export function serveHalfOpen(server: Server, clock: Clock): void {
  // Without this, Node ends its side too: the answer is lost, whoever waits for it.
  (server as Server & { httpAllowHalfOpen: boolean }).httpAllowHalfOpen = true;
  server.on("connection", (socket: Socket) => {
    socket.once("end", () => finishedSending(socket, clock));
  });
}

function finishedSending(socket: Socket, clock: Clock): void {
  const answer = answerOn(socket);
  if (answer === null || answer.writableEnded) return;
  // Nothing can be slipped into an answer that has begun: there a FIN is taken for a goodbye.
  if (answer.headersSent || answer.req.httpVersion !== "1.1") socket.end();
  else probe(socket, clock);
}

function probe(socket: Socket, clock: Clock): void {
  let timer: Timer | null = null;
  let asked = 0;
  const ask = (): void => {
    if (answerOn(socket)?.headersSent !== false) return;
    socket.write(INTERIM);
    timer = clock.after(AGAIN_AFTER_MS[asked++] ?? THEN_EVERY_MS, ask);
  };
  socket.once("close", () => timer?.cancel());
  ask();
}

/** The answer that is due next on this connection; null = none is. */
function answerOn(socket: Socket): ServerResponse | null {
  const { _httpMessage: answer } = socket as Socket & {
    readonly _httpMessage?: ServerResponse | null;
  };
  return answer ?? null;
}
