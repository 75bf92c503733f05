/**
 * Every error a client can meet, in one table. docs/errors.md is checked against it.
 * `type` is the class that OpenAI and Anthropic clients branch on.
 */

interface ErrorSpec {
  readonly status: number;
  readonly type: ErrorType;
  /** When it happens and what the caller can do: the text of docs/errors.md. */
  readonly meaning: string;
}

type ErrorType =
  | "invalid_request_error"
  | "authentication_error"
  | "permission_error"
  | "not_found_error"
  | "conflict_error"
  | "rate_limit_error"
  | "overloaded_error"
  | "timeout_error"
  | "api_error";

export const ERRORS = {
  INVALID_REQUEST: {
    status: 400,
    type: "invalid_request_error",
    meaning: "The request is malformed. `param` names the field; the message says what is allowed.",
  },
  UNAUTHORIZED: {
    status: 401,
    type: "authentication_error",
    meaning: "No key, an unknown key or a revoked key. Send `Authorization: Bearer <key>`.",
  },
  AUTH_THROTTLED: {
    status: 429,
    type: "rate_limit_error",
    meaning:
      "Too many bad keys from one address. Wait for `Retry-After`; good keys are not locked.",
  },
  FORBIDDEN: {
    status: 403,
    type: "permission_error",
    meaning: "The key's role does not allow this route.",
  },
  USER_MISMATCH: {
    status: 403,
    type: "permission_error",
    meaning: "The request names another user. Only the roles service and admin may act for others.",
  },
  PRIORITY_LIMIT_EXCEEDED: {
    status: 403,
    type: "permission_error",
    meaning: "The priority is above the user's `priority_limit`. Ask for less, or have it raised.",
  },
  NETWORK_DENIED: {
    status: 403,
    type: "permission_error",
    meaning: "The client's address is outside `network.allowed_cidrs`.",
  },
  MODEL_NOT_FOUND: {
    status: 404,
    type: "not_found_error",
    meaning: "No worker serves this model. `GET /v1/models` lists those that are served.",
  },
  ROUTE_NOT_FOUND: {
    status: 404,
    type: "not_found_error",
    meaning: "There is no such route. `/docs` lists all of them.",
  },
  REQUEST_NOT_FOUND: {
    status: 404,
    type: "not_found_error",
    meaning: "No such job of yours: unknown, expired, another user's, or lost in a restart.",
  },
  GPU_NOT_FOUND: {
    status: 404,
    type: "not_found_error",
    meaning: "No such GPU or worker. `GET /api/v1/gpus` lists those that are known.",
  },
  ALREADY_FINISHED: {
    status: 409,
    type: "conflict_error",
    meaning: "The job is already over, so it cannot be cancelled or completed.",
  },
  REQUEST_ID_TAKEN: {
    status: 409,
    type: "conflict_error",
    meaning: "You already have a job with this `request_id`. Choose another or leave it out.",
  },
  BODY_TOO_LARGE: {
    status: 413,
    type: "invalid_request_error",
    meaning: "The body is larger than `api.body_limit_mb`.",
  },
  UNSUPPORTED_MEDIA_TYPE: {
    status: 415,
    type: "invalid_request_error",
    meaning: "Bodies must be `Content-Type: application/json`, without `Content-Encoding`.",
  },
  NO_GPU_FITS: {
    status: 422,
    type: "invalid_request_error",
    meaning: "No worker could ever run this: the message lists what each one lacks.",
  },
  IDEMPOTENCY_MISMATCH: {
    status: 422,
    type: "invalid_request_error",
    meaning:
      "This `Idempotency-Key` came with another body or route. Send a new key with new work.",
  },
  QUOTA_EXCEEDED: {
    status: 429,
    type: "rate_limit_error",
    meaning: "The user's requests or tokens of this window are used up. Wait for `Retry-After`.",
  },
  QUEUE_FULL: {
    status: 503,
    type: "overloaded_error",
    meaning:
      "The queue has no room for it, or is switched off and every slot is taken. Wait as told.",
  },
  OVERLOADED: {
    status: 503,
    type: "overloaded_error",
    meaning:
      "The router itself is short of time, memory or connections; low priorities are refused first.",
  },
  SHUTTING_DOWN: {
    status: 503,
    type: "overloaded_error",
    meaning: "The router is stopping. Retry: another instance or the restarted one will answer.",
  },
  NO_GPU_AVAILABLE: {
    status: 503,
    type: "overloaded_error",
    meaning:
      "No worker is usable now (down, starting, cooling, hot, cordoned); the message says why.",
  },
  DEADLINE_EXCEEDED: {
    status: 504,
    type: "timeout_error",
    meaning:
      "Still waiting for a slot at the deadline, or still generating. Give it more time, or stream.",
  },
  WORKER_FAILED: {
    status: 502,
    type: "api_error",
    meaning: "Every attempt failed on the workers. The message names the last failure.",
  },
  INTERNAL: {
    status: 500,
    type: "api_error",
    meaning: "A defect of the router. Report it with the `request_id`.",
  },
} as const satisfies Record<string, ErrorSpec>;

export type ErrorCode = keyof typeof ERRORS;

interface ErrorDetails {
  /** The field, header or setting at fault. */
  readonly param?: string;
  /** How long to wait before trying again; sent as `Retry-After`, rounded up to seconds. */
  readonly retryAfterMs?: number;
  readonly cause?: unknown;
}

/** An error with a place in the table. Match on `code`; the message is for people. */
export class RouterError extends Error {
  readonly code: ErrorCode;
  readonly param: string | null;
  readonly retryAfterMs: number | null;

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(message, { cause: details.cause });
    this.name = "RouterError";
    this.code = code;
    this.param = details.param ?? null;
    this.retryAfterMs = details.retryAfterMs ?? null;
  }

  get status(): number {
    return ERRORS[this.code].status;
  }
}

/** The one error body of this API, in OpenAI's form. */
export interface ErrorBody {
  readonly error: {
    readonly code: ErrorCode;
    readonly message: string;
    readonly type: string;
    readonly param: string | null;
    readonly request_id: string;
  };
}

export function errorBody(error: RouterError, requestId: string): ErrorBody {
  return {
    error: {
      code: error.code,
      message: error.message,
      type: ERRORS[error.code].type,
      param: error.param,
      request_id: requestId,
    },
  };
}
