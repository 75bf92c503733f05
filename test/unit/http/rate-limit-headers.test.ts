import { expect, test } from "vitest";
import { rateLimitHeaders } from "../../../src/http/rate-limit-headers.ts";

test("requests and tokens are told as OpenAI's clients read them", () => {
  const requests = { limit: 100, remaining: 97, resetMs: 16_001 };
  const tokens = { limit: 5_000, remaining: 0, resetMs: 0 };
  const ofRequests = [
    ...["x-ratelimit-limit-requests", "100"],
    ...["x-ratelimit-remaining-requests", "97"],
    ...["x-ratelimit-reset-requests", "17s"],
  ];
  expect(rateLimitHeaders({ requests, tokens: null })).toEqual(ofRequests);
  expect(rateLimitHeaders({ requests, tokens })).toEqual([
    ...ofRequests,
    ...["x-ratelimit-limit-tokens", "5000"],
    ...["x-ratelimit-remaining-tokens", "0"],
    ...["x-ratelimit-reset-tokens", "0s"],
  ]);
});

test.each([
  [0, "0s"],
  [1, "1s"],
  [59_000, "59s"],
  [59_001, "1m0s"],
  [63_000, "1m3s"],
  [3_599_000, "59m59s"],
  [3_600_000, "1h0m0s"],
  [86_400_000 + 61_000, "24h1m1s"],
])("%i ms are %s", (resetMs, expected) => {
  const rates = { requests: { limit: 1, remaining: 0, resetMs }, tokens: null };
  expect(rateLimitHeaders(rates)[5]).toBe(expected);
});
