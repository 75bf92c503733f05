import { BlockList, isIP } from "node:net";
import type { onRequestHookHandler } from "fastify";
import { RouterError } from "../errors.ts";
import { plainAddress } from "./plain-address.ts";

export interface NetworkGate {
  /** Everyone may pass. */
  readonly isOpen: boolean;
  /** False for anything that is not an IP address, unless everyone is allowed. */
  allows(address: string | undefined): boolean;
}

const LOOPBACK = ["127.0.0.0/8", "::1/128"];

/**
 * Who may connect at all. An empty list allows everyone; loopback is always allowed, so a reverse
 * proxy on the same machine must be named in network.trusted_proxies, or all its clients count as
 * loopback. Throws on an entry that is neither an address nor a CIDR.
 */
export function createNetworkGate(options: {
  readonly allowedCidrs: readonly string[];
}): NetworkGate {
  if (options.allowedCidrs.length === 0) return { isOpen: true, allows: () => true };
  const contains = addressMatcher("network.allowed_cidrs", [...options.allowedCidrs, ...LOOPBACK]);
  return { isOpen: false, allows: (address) => address !== undefined && contains(address) };
}

/** Answers 403 to outsiders before anything of their request is looked at. */
export function denyOutsiders(currentGate: () => NetworkGate): onRequestHookHandler {
  return (request, _reply, done) => {
    const gate = currentGate();
    // Looking for the address reads headers, which is not free.
    if (gate.isOpen || gate.allows(request.ip)) done();
    else done(networkDenied(request.ip));
  };
}

/** Names the address, because behind proxies and address translation nobody can guess it. */
function networkDenied(ip: string | undefined): RouterError {
  const address = plainAddress(ip);
  const whose = address === null ? "a client without an IP address" : `the address ${address}`;
  const message =
    `${whose} may not use the router: an operator can add it to network.allowed_cidrs, ` +
    "or to network.trusted_proxies if it is their reverse proxy";
  return new RouterError("NETWORK_DENIED", message);
}

/** Whether a peer is a proxy of the operator's, whose X-Forwarded-For counts. */
export type ProxyMatcher = (address: string | undefined) => boolean;

/**
 * For Fastify's trustProxy, which reads X-Forwarded-For from the right up to the first address that is
 * not trusted. Never a hop count or `true`, which clients can spoof.
 */
export function createProxyMatcher(cidrs: readonly string[]): ProxyMatcher {
  if (cidrs.length === 0) return () => false;
  const contains = addressMatcher("network.trusted_proxies", cidrs);
  return (address) => address !== undefined && contains(address);
}

function addressMatcher(setting: string, cidrs: readonly string[]): (address: string) => boolean {
  // Node names this class for its commonest use; here it lists those who match.
  const list = new BlockList();
  for (const cidr of cidrs) addCidr(list, setting, cidr);
  return (text) => {
    const address = plainAddress(text);
    return address !== null && list.check(address, isIP(address) === 4 ? "ipv4" : "ipv6");
  };
}

function addCidr(list: BlockList, setting: string, cidr: string): void {
  const [address = "", prefix, ...rest] = cidr.split("/");
  const version = isIP(address);
  const bits = version === 4 ? 32 : 128;
  const length = prefix === undefined ? bits : Number(prefix);
  const valid = version !== 0 && rest.length === 0 && (prefix === undefined || isLength(prefix));
  if (!valid || length > bits) {
    throw new Error(`${setting}: "${cidr}" is not an address or CIDR such as 10.0.0.0/8`);
  }
  list.addSubnet(address, length, version === 4 ? "ipv4" : "ipv6");
}

function isLength(text: string): boolean {
  return /^\d{1,3}$/.test(text);
}
