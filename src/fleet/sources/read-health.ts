import type { GpuHealth } from "../gpu.ts";

const MAX_ERRORS = 20;
const MAX_ERROR_CHARS = 500;

/** Reads the body of GET /gpus/{id}/health. Throws with what is wrong and what is expected. */
export function readHealth(body: unknown): GpuHealth {
  if (typeof body !== "object" || body === null) throw new Error(`JSON without a status`);
  const { status, errors } = body as { readonly status?: unknown; readonly errors?: unknown };
  if (status !== "healthy" && status !== "warning" && status !== "critical") {
    throw new Error("an unknown status, expected healthy, warning or critical");
  }
  const texts = Array.isArray(errors) ? errors.filter((error) => typeof error === "string") : [];
  return { status, errors: texts.slice(0, MAX_ERRORS).map((e) => e.slice(0, MAX_ERROR_CHARS)) };
}
