import { randomUUID } from "node:crypto";

export interface Answer {
  readonly status: number;
  readonly contentType: string;
  readonly body: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** What can go wrong here, with its status and the class that the router's clients know. */
const FAULTS = {
  UNAUTHORIZED: { status: 401, type: "authentication_error" },
  ROUTE_NOT_FOUND: { status: 404, type: "not_found_error" },
  GPU_NOT_FOUND: { status: 404, type: "not_found_error" },
  METHOD_NOT_ALLOWED: { status: 405, type: "invalid_request_error" },
  INTERNAL: { status: 500, type: "api_error" },
  NO_TELEMETRY: { status: 503, type: "api_error" },
} as const;

/** An answer that is no success; the message is for people. */
export class MonitorError extends Error {
  readonly code: keyof typeof FAULTS;
  readonly headers: Readonly<Record<string, string>>;

  constructor(
    code: keyof typeof FAULTS,
    message: string,
    headers: Readonly<Record<string, string>> = {},
  ) {
    super(message);
    this.code = code;
    this.headers = headers;
  }
}

export function jsonAnswer(value: unknown, status = 200): Answer {
  const contentType = "application/json; charset=utf-8";
  return { status, contentType, body: JSON.stringify(value), headers: {} };
}

/** In the form of the router's own errors. */
export function errorAnswer({ code, message, headers }: MonitorError): Answer {
  const { status, type } = FAULTS[code];
  const error = { code, message, type, param: null, request_id: randomUUID() };
  return { ...jsonAnswer({ error }, status), headers };
}
