import { isIP } from "node:net";

/** What a text that should be an address turned out to be: its one spelling, or what it must be. */
export type Parsed = { readonly ok: string } | { readonly mustBe: string };

const HTTP_URL = "must be an http or https URL such as http://10.0.0.11:8000";

/** One spelling per server, so that equal URLs are equal texts: no trailing slash. */
export function parseHttpUrl(text: string): Parsed {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url?.protocol !== "http:" && url?.protocol !== "https:") return { mustBe: HTTP_URL };
  if (url.username || url.password) return { mustBe: "must be a URL without user and password" };
  if (url.search || url.hash) return { mustBe: "must be a URL without ? and #" };
  return { ok: url.origin + url.pathname.replace(/\/+$/, "") };
}

/** OpenAI clients are given URLs that end in /v1; a worker's paths carry it already. */
export function parseWorkerUrl(text: string): Parsed {
  const parsed = parseHttpUrl(text);
  return "ok" in parsed ? { ok: parsed.ok.replace(/\/+(v1)?$/, "") } : parsed;
}

/** A host as `URL.hostname` spells it: lower case, IPv6 in brackets. */
export function parseHost(text: string): Parsed {
  const bare = text.replace(/^\[(.*)\]$/, "$1");
  const url = `http://${isIP(bare) === 6 ? `[${bare}]` : bare}`;
  // In URLs a name that ends in a number is an IPv4 address, and wrong if it is none.
  if (!isHost(bare) || !URL.canParse(url))
    return { mustBe: "must be a host name or an IP address, without http:// or port" };
  return { ok: new URL(url).hostname };
}

/** A host that a socket can be bound to; unlike in URLs, IPv6 has no brackets. */
export function parseListenHost(text: string): Parsed {
  const parsed = parseHost(text);
  return "ok" in parsed ? { ok: parsed.ok.replace(/^\[(.*)\]$/, "$1") } : parsed;
}

/** `address/bits`; a bare address means that address alone. */
export function parseCidr(text: string): Parsed {
  const [address = "", bits, ...rest] = text.split("/");
  const family = isIP(address);
  const most = family === 4 ? 32 : 128;
  const valid = bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= most);
  if (family === 0 || address.includes("%") || rest.length > 0 || !valid) {
    return { mustBe: "must be an address range such as 10.0.0.0/8 or fd00::/8" };
  }
  return { ok: `${address}/${Number(bits ?? most)}` };
}

/**
 * Whether only this machine can reach what listens on `host`. Names that a resolver could point
 * elsewhere do not count, except the reserved "localhost".
 */
export function isLoopbackHost(host: string): boolean {
  return host === "localhost" || host === "::1" || (isIP(host) === 4 && host.startsWith("127."));
}

function isHost(text: string): boolean {
  if (isIP(text) !== 0) return !text.includes("%");
  // Digits and dots that are no IP address are a mistyped one, not a name.
  if (text.length > 253 || /^[\d.]+$/.test(text)) return false;
  return text.split(".").every((label) => /^[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?$/i.test(label));
}
