import type { FastifySchemaValidationError } from "fastify";
import { RouterError } from "../errors.ts";

interface InvalidInput {
  readonly validation: readonly FastifySchemaValidationError[];
  /** Which part of the request: body, querystring, params or headers. */
  readonly validationContext?: string;
}

/** What is wrong with the first bad field, in words that need no knowledge of the schema library. */
export function explainInvalid({ validation, validationContext }: InvalidInput): RouterError {
  const [issue] = validation;
  const whole = validationContext === undefined ? "body" : validationContext;
  if (!issue) return new RouterError("INVALID_REQUEST", `the ${whole} is not valid`);
  const path = issue.instancePath.split("/").filter((part) => part !== "");
  if (issue.keyword === "unrecognized_keys") return unknownFields(issue, path);
  if (isMissingBody(issue, path, whole)) {
    const message = "the body is missing: send a JSON object with `Content-Type: application/json`";
    return new RouterError("INVALID_REQUEST", message, { param: "body" });
  }
  const param = path.length === 0 ? whole : nameOf(path);
  return new RouterError("INVALID_REQUEST", `${param} ${complaint(issue)}`, { param });
}

/** Fastify shows a body that was never sent as null. */
function isMissingBody(
  { keyword, message }: FastifySchemaValidationError,
  path: readonly string[],
  whole: string,
): boolean {
  const isNull = keyword === "invalid_type" && message?.endsWith("received null") === true;
  return isNull && path.length === 0 && whole === "body";
}

/** As in JavaScript: requests[3].priority. */
function nameOf(path: readonly string[]): string {
  const parts = path.map((part) => (/^\d+$/.test(part) ? `[${part}]` : `.${part}`));
  return parts.join("").replace(/^\./, "");
}

function unknownFields(issue: FastifySchemaValidationError, path: readonly string[]): RouterError {
  const { keys } = issue.params;
  const names = (Array.isArray(keys) ? keys : []).map((key) => nameOf([...path, String(key)]));
  const unknown = `unknown field${names.length === 1 ? "" : "s"}: ${names.join(", ")}`;
  const message = `${unknown}; /docs lists those that there are`;
  return new RouterError(
    "INVALID_REQUEST",
    message,
    names[0] === undefined ? {} : { param: names[0] },
  );
}

function complaint(issue: FastifySchemaValidationError): string {
  const text = issue.message ?? "is not valid";
  if (issue.keyword !== "invalid_type") return `is not valid: ${lowerFirst(text)}`;
  const { expected } = issue.params;
  return text.endsWith("received undefined")
    ? `is missing: send a value of type ${String(expected)}`
    : `has the wrong type: ${lowerFirst(text.replace(/^Invalid input: /, ""))}`;
}

function lowerFirst(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1);
}
