import { isIP, SocketAddress } from "node:net";

/**
 * An address as a range can name it: IPv4 also where it came as IPv6 (::ffff:203.0.113.9), without the
 * zone of link-local addresses (fe80::1%eth0), and without the port that some proxies put into
 * X-Forwarded-For (203.0.113.9:4711, [2001:db8::1]:4711), another one for each connection. null = no IP
 * address, as of a connection that is gone.
 */
export function plainAddress(text: string | undefined): string | null {
  if (text === undefined) return null;
  const bare = isIP(text) === 0 ? text.replace(WITH_PORT, "$1$2") : text;
  if (isIP(bare) !== 6) return isIP(bare) === 4 ? bare : null;
  const [unzoned = ""] = bare.split("%");
  const { address } = new SocketAddress({ address: unzoned, family: "ipv6" });
  return address.startsWith("::ffff:") && address.includes(".") ? address.slice(7) : address;
}

const WITH_PORT = /^(?:([\d.]+)|\[(.+)\])(?::\d{1,5})?$/;
