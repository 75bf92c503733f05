import { hostname, networkInterfaces } from "node:os";

/** What a source on this machine has as its host. */
const THIS_MACHINE = "localhost";

/**
 * The host of a URL, in the one spelling that `gpus: auto` compares: a worker at 127.0.0.1 is on the
 * machine whose GPUs are read here, and so is one at this machine's own name or address.
 */
export function hostOf(url: string): string {
  return oneSpelling(new URL(url).hostname);
}

/** The same for a host as `URL.hostname` spells it. */
export function oneSpelling(host: string): string {
  return isThisMachine(host) ? THIS_MACHINE : host;
}

/**
 * `host` as `URL.hostname` spells it: lower case, IPv6 in brackets. The rest of 127.0.0.0/8 is not meant:
 * tunnels to other machines end there.
 */
function isThisMachine(host: string): boolean {
  ownHosts ??= readOwnHosts();
  return ownHosts.has(host);
}

/** Read once: every snapshot of the fleet asks. */
let ownHosts: ReadonlySet<string> | null = null;

function readOwnHosts(): ReadonlySet<string> {
  const addresses = Object.values(networkInterfaces()).flatMap((all) => all ?? []);
  const hosts = addresses.map(({ address, family }) =>
    family === "IPv6" ? `[${address.replace(/%.*$/, "")}]` : address,
  );
  return new Set([THIS_MACHINE, "127.0.0.1", "[::1]", hostname().toLowerCase(), ...hosts]);
}
