import { lookup as systemLookup, type LookupAddress } from "node:dns";

type Done = (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void;
type LookUpAll = (hostname: string, options: { all: true }, done: Done) => void;
/** As a socket asks for it. */
type SocketLookup = (hostname: string, options: unknown, done: Done) => void;

/**
 * Looks one host up, as the system does, but never twice at once: a look-up holds one of the few
 * threads that also write stdout and look the workers up, and goes on when its connection is given up.
 */
export function createSingleLookup(lookUp: LookUpAll = systemLookup): SocketLookup {
  const waiting: Done[] = [];
  return (hostname, _options, done) => {
    waiting.push(done);
    if (waiting.length > 1) return;
    lookUp(hostname, { all: true }, (error, addresses) => {
      for (const each of waiting.splice(0)) each(error, addresses);
    });
  };
}
