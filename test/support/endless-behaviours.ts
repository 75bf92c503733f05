import type { Writable } from "node:stream";
import type { Behaviour } from "./stub-behaviours.ts";

/** An answer without end, sent as fast as it is read until its client leaves. */
export interface Endless {
  readonly behaviour: Behaviour;
  /** Bytes so far; what lies in buffers on the way is among them. */
  readonly written: number;
}

/** `first`, then `piece` for ever. */
export function endlessBody(contentType: string, first: string, piece: string): Endless {
  return endless((response) => response, {
    piece,
    begin(response) {
      response.writeHead(200, { "content-type": contentType });
      response.write(first);
    },
  });
}

/** A header section that never comes to its blank line. */
export function endlessHeaders(piece: string): Endless {
  return endless((response) => response.socket!, {
    piece,
    begin: (response) => void response.socket!.write("HTTP/1.1 200 OK\r\n"),
  });
}

type Response = Parameters<Behaviour>[0]["response"];

function endless(
  target: (response: Response) => Writable,
  { piece, begin }: { readonly piece: string; readonly begin: (response: Response) => void },
): Endless {
  let written = 0;
  const behaviour: Behaviour = async ({ response }) => {
    begin(response);
    const writable = target(response);
    while (await wrote(writable, piece)) written += piece.length;
  };
  return {
    behaviour,
    get written() {
      return written;
    },
  };
}

/** False: the client is gone. */
function wrote(writable: Writable, piece: string): Promise<boolean> {
  return new Promise((resolve) => {
    // One that leaves may leave the callback uncalled.
    const gone = (): void => resolve(false);
    writable.once("close", gone);
    writable.write(piece, (error) => {
      writable.off("close", gone);
      resolve(error == null && !writable.destroyed);
    });
  });
}
