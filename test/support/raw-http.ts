import { connect } from "node:net";

export interface RawAnswer {
  readonly status: number;
  /** Lower-cased names. */
  readonly headers: ReadonlyMap<string, string>;
  readonly body: string;
}

/** Sends these bytes on a fresh connection and resolves with the first answer to them. */
export function sendRaw(port: number, text: string): Promise<RawAnswer> {
  const { promise, resolve, reject } = Promise.withResolvers<RawAnswer>();
  const socket = connect(port, "127.0.0.1");
  let received = "";
  socket.setEncoding("latin1");
  socket.on("error", reject);
  socket.on("close", () => reject(new Error(`closed after: ${JSON.stringify(received)}`)));
  socket.on("data", (chunk) => {
    received += String(chunk);
    const answer = parseAnswer(received);
    if (!answer) return;
    resolve(answer);
    socket.destroy();
  });
  socket.write(text, "latin1");
  return promise;
}

/** null until the whole answer is there. */
function parseAnswer(text: string): RawAnswer | null {
  const headEnd = text.indexOf("\r\n\r\n");
  if (headEnd === -1) return null;
  const [statusLine = "", ...lines] = text.slice(0, headEnd).split("\r\n");
  const headers = new Map(
    lines.map((line) => {
      const colon = line.indexOf(":");
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
    }),
  );
  const body = text.slice(headEnd + 4);
  if (body.length < Number(headers.get("content-length") ?? 0)) return null;
  return { status: Number(statusLine.split(" ")[1]), headers, body };
}
