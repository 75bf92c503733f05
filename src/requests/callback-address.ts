import { BlockList, isIP } from "node:net";

/**
 * Which addresses callbacks may reach: the public internet, and nothing that only this network or
 * this machine can see. Lists follow IANA's registries of special-purpose addresses.
 */

const NOT_PUBLIC_IPV4 = [
  "0.0.0.0/8",
  "10.0.0.0/8",
  "100.64.0.0/10",
  "127.0.0.0/8",
  "169.254.0.0/16",
  "172.16.0.0/12",
  "192.0.0.0/24",
  "192.0.2.0/24",
  "192.88.99.0/24",
  "192.168.0.0/16",
  "198.18.0.0/15",
  "198.51.100.0/24",
  "203.0.113.0/24",
  "224.0.0.0/4",
  "240.0.0.0/4",
  // Azure answers every virtual machine from here, although the address is a public one.
  "168.63.129.16/32",
];

/**
 * Only 2000::/3 is public. What lies outside it covers ::, ::1, IPv4 in IPv6 (::ffff:0:0/96), NAT64
 * (64:ff9b::/96, 64:ff9b:1::/48), fc00::/7, fe80::/10 and ff00::/8.
 */
const NOT_PUBLIC_IPV6 = [
  "::/3",
  "4000::/2",
  "8000::/1",
  // Inside 2000::/3: Teredo and other protocols, documentation, and IPv4 in disguise (6to4).
  "2001::/23",
  "2001:db8::/32",
  "2002::/16",
  "3fff::/20",
];

// In one list IPv6 ranges would match IPv4 addresses as well: BlockList takes these for ::ffff:….
const blockedIpv4 = blockList(NOT_PUBLIC_IPV4, "ipv4");
const blockedIpv6 = blockList(NOT_PUBLIC_IPV6, "ipv6");

/** False for what is no IP address at all. */
export function isPublicAddress(address: string): boolean {
  const version = isIP(address);
  if (version === 0) return false;
  return version === 4 ? !blockedIpv4.check(address) : !blockedIpv6.check(address, "ipv6");
}

/** The IP address that a URL's host is; null = it is a name. IPv6 without its brackets. */
export function literalAddress(hostname: string): string | null {
  const bare = hostname.replace(/^\[(.*)\]$/, "$1");
  return isIP(bare) === 0 ? null : bare;
}

function blockList(ranges: readonly string[], family: "ipv4" | "ipv6"): BlockList {
  const list = new BlockList();
  for (const range of ranges) {
    const [address = "", prefix] = range.split("/");
    list.addSubnet(address, Number(prefix), family);
  }
  return list;
}
