import { expect } from "vitest";
import { ERRORS } from "../../src/errors.ts";
import type { ErrorBody, ErrorCode } from "../../src/errors.ts";

export interface Trouble {
  readonly code: ErrorCode;
  readonly says: RegExp;
  readonly param?: string;
}

/** The error is in the table's form, with the status and type of its code, and says what it must. */
export async function expectTrouble(response: Response, expected: Trouble): Promise<void> {
  const { code, says, param = null } = expected;
  const { error } = (await response.json()) as ErrorBody;
  const { status, type } = ERRORS[code];
  const requestId = response.headers.get("x-request-id");
  expect(error).toEqual({ code, type, param, request_id: requestId, message: error.message });
  expect(error.message).toMatch(says);
  expect(response.status).toBe(status);
}
