import type { LookupAddress } from "node:dns";
import { lookup as systemLookup, Resolver } from "node:dns/promises";

/** All addresses of a host name. Rejects if they cannot be had. */
export type Lookup = (hostname: string, signal: AbortSignal) => Promise<readonly LookupAddress[]>;

/** In ms. A question that got lost is asked again, and that within the time for connecting. */
const QUERY = { timeout: 600, tries: 2 };

/**
 * Hosts that the operator allowed are looked up as the system does, with its hosts file and search
 * domains. All others are asked of DNS itself: a name that a user chose must neither find a neighbour
 * by a search domain, nor hold one of the few threads in which the system looks up the workers.
 */
export function createLookup(isAllowed: (hostname: string) => boolean): Lookup {
  return (hostname, signal) =>
    isAllowed(hostname)
      ? systemLookup(hostname, { all: true })
      : queryDns(hostname, new Resolver(QUERY), signal);
}

/** A family without an answer does not matter as long as the other has one. */
export async function queryDns(
  hostname: string,
  resolver: Pick<Resolver, "resolve4" | "resolve6" | "cancel">,
  signal: AbortSignal,
): Promise<readonly LookupAddress[]> {
  const cancel = (): void => resolver.cancel();
  signal.addEventListener("abort", cancel, { once: true });
  const [ipv4, ipv6] = await Promise.allSettled([
    resolver.resolve4(hostname),
    resolver.resolve6(hostname),
  ]);
  signal.removeEventListener("abort", cancel);
  const addresses = [
    ...(ipv4.status === "fulfilled" ? ipv4.value.map((address) => ({ address, family: 4 })) : []),
    ...(ipv6.status === "fulfilled" ? ipv6.value.map((address) => ({ address, family: 6 })) : []),
  ];
  if (addresses.length === 0 && ipv4.status === "rejected") throw ipv4.reason as Error;
  return addresses;
}
