const WORDS: Readonly<Record<string, string>> = {
  ECONNREFUSED: "connection refused",
  ECONNRESET: "connection reset",
  EPIPE: "connection closed while sending",
  ETIMEDOUT: "no connection in time",
  EHOSTUNREACH: "no route to host",
  ENETUNREACH: "network unreachable",
  ENOTFOUND: "host name not found",
  EAI_AGAIN: "host name could not be looked up just now",
  ERR_TLS_CERT_ALTNAME_INVALID: "its certificate is for another host name",
  UND_ERR_SOCKET: "connection closed before the answer was complete",
  UND_ERR_CONNECT_TIMEOUT: "no connection in time",
};

/**
 * What went wrong on a connection, in words for users. Node's own message is empty for a refusal on
 * both IPv4 and IPv6, cryptic otherwise, and names the address, which is for operators.
 */
export function networkFailure(error: unknown): string {
  const code = errorCode(error);
  if (code !== null && WORDS[code] !== undefined) return `${WORDS[code]} (${code})`;
  if (!(error instanceof Error)) return "failed";
  // Errors of the operating system: "connect EACCES 10.0.0.1:80".
  if ("syscall" in error) return `${String(error.syscall)} failed (${code ?? "no code"})`;
  return error.message === "" ? (code ?? "failed") : error.message;
}

/** The network's code, such as ECONNREFUSED; null = it has none. */
export function errorCode(error: unknown): string | null {
  if (!(error instanceof Error) || !("code" in error)) return null;
  return typeof error.code === "string" ? error.code : null;
}
