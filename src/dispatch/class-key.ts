import type { RoutedRequest } from "./routed-request.ts";

const GIB = 1024 ** 3;
/** 1 TiB: what is more is rare enough to be one class. */
const MOST_MEMORY_GIB = 1024;

/**
 * Requests of one class can be taken by the same workers; needs of memory only roughly so, within a
 * factor of two. Each class that waits is asked whenever a slot is free, and with exact needs one user
 * could make thousands of them.
 */
export function classKeyOf(request: RoutedRequest): string {
  const { path, type, model, memoryBytes, computeUnits } = request;
  return `${path} ${type} ${memoryClass(memoryBytes)} ${computeUnits ?? ""} ${model}`;
}

function memoryClass(bytes: number | null): string {
  if (bytes === null) return "";
  const gib = Math.min(Math.max(bytes / GIB, 1), MOST_MEMORY_GIB + 1);
  return String(Math.ceil(Math.log2(gib)));
}
