import { expect, test } from "vitest";
import { classKeyOf } from "../../../src/dispatch/class-key.ts";
import type { RoutedRequest } from "../../../src/dispatch/routed-request.ts";
import { routedRequest } from "../../support/request-builders.ts";

const GIB = 1024 ** 3;

const keyOf = (changes: Partial<RoutedRequest>): string => classKeyOf(routedRequest(changes));

test("requests that other workers can take are of another class", () => {
  const changes: Partial<RoutedRequest>[] = [
    {},
    { model: "other" },
    { path: "/v1/embeddings" },
    { path: null },
    { type: "training" },
    { computeUnits: 2 },
    { memoryBytes: GIB },
    { memoryBytes: 80 * GIB },
  ];
  expect(new Set(changes.map(keyOf)).size).toBe(changes.length);
});

test("of users, bands and bodies there is no class", () => {
  const changes: Partial<RoutedRequest>[] = [{ user: "bob", band: 5, body: Buffer.from("{}") }];
  expect(changes.map(keyOf)).toEqual([keyOf({})]);
});

test("a user who asks for ever other memory makes no more than a few classes", () => {
  const needs = Array.from({ length: 2000 }, (_, index) => (index + 1) * GIB);
  const keys = new Set([1, ...needs, 1e300].map((memoryBytes) => keyOf({ memoryBytes })));
  expect(keys.size).toBeLessThanOrEqual(13);
});
