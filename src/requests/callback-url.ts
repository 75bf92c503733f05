import { RouterError } from "../errors.ts";
import { isPublicAddress, literalAddress } from "./callback-address.ts";

const LENGTH_MAX = 2048;
/** "" is the default of https, 443. */
const PORTS: ReadonlySet<string> = new Set(["", "8443"]);

/** Last labels of names that never leave a house, a cluster or a machine. */
const PRIVATE_ZONES =
  /\.(?:localhost|local|localdomain|internal|intranet|private|corp|home|lan|svc|home\.arpa)$/;

/**
 * The one parse of a callback's URL: what is checked here is the object that is connected to, since
 * two parsers can disagree on what is the host. The host of the result has no dot at its end, and the
 * URL no fragment. Throws INVALID_REQUEST.
 */
export function checkCallbackUrl(text: string, allowedHosts: ReadonlySet<string>): URL {
  if (text.length > LENGTH_MAX) throw refusal(`must have at most ${LENGTH_MAX} characters`);
  // URL would drop some of these and turn others into slashes, unlike the reader of a log.
  if (/[\s\p{Cc}\\]/u.test(text)) throw refusal("must have no spaces, line breaks or backslashes");
  if (!URL.canParse(text)) throw refusal("must be a URL such as https://example.com/done");
  const url = new URL(text);
  if (url.username !== "" || url.password !== "") {
    throw refusal("must have no user and password; callbacks are signed instead");
  }
  url.hash = "";
  url.hostname = url.hostname.replace(/\.$/, "");
  checkPlace(url, allowedHosts.has(url.hostname));
  return url;
}

function checkPlace(url: URL, isAllowed: boolean): void {
  const { protocol, hostname, port } = url;
  if (protocol !== "https:" && !(protocol === "http:" && isAllowed)) {
    throw refusal(`must begin with https://, ${unlessAllowed("for http to a host")}`);
  }
  if (isAllowed) return;
  if (!PORTS.has(port)) {
    throw refusal(`must use port 443 or 8443, ${unlessAllowed("for other ports of a host")}`);
  }
  if (!isPublicHost(hostname)) {
    throw refusal(`must not lead to the private host ${hostname}, ${unlessAllowed("for it")}`);
  }
}

function isPublicHost(hostname: string): boolean {
  const address = literalAddress(hostname);
  if (address !== null) return isPublicAddress(address);
  // A name of one label is looked up among the neighbours first.
  return /^[^.]+(?:\.[^.]+)+$/.test(hostname) && !PRIVATE_ZONES.test(hostname);
}

function unlessAllowed(what: string): string {
  return `or an operator adds the host to callbacks.allowed_hosts ${what}`;
}

function refusal(what: string): RouterError {
  return new RouterError("INVALID_REQUEST", `callback_url ${what}`, { param: "callback_url" });
}
