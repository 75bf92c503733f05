import { describe, expect, test } from "vitest";
import { loadYaml, problemsIn } from "./load-yaml.ts";

const loopback = "api: { host: 127.0.0.1 }\n";

test("a user's entry has the defaults' limits where it names none", () => {
  const { config, notices } = loadYaml(`${loopback}users: [{ id: alice, request_limit: 7 }]`);
  expect(notices).toEqual([]);
  expect(config.users).toEqual([
    {
      id: "alice",
      gpu_limit: null,
      request_limit: 7,
      priority_limit: null,
      token_limit: null,
      expiration_time: null,
    },
  ]);
});

describe("expiration_time", () => {
  test.each(['"2027-01-31T18:00:00Z"', "2027-01-31T18:00:00+02:00", "2027-01-31T18:00:00.5Z"])(
    "may be %s",
    (time) => {
      const yaml = `${loopback}users: [{ id: alice, expiration_time: ${time} }]`;
      expect(loadYaml(yaml).config.users[0]?.expiration_time).toBe(time.replaceAll('"', ""));
    },
  );

  test.each([
    "2027-01-31",
    "2027-01-31T18:00:00",
    "2027-02-30T18:00:00Z",
    "tomorrow",
    "1801418400",
  ])("may not be %s, whose moment depends on who reads it, or is none", (time) => {
    expect(problemsIn(`users: [{ id: alice, expiration_time: ${time} }]`)).toEqual([
      expect.stringMatching(
        /^config\.yaml:1: users\[0\]\.expiration_time: .* must be a date and time with its zone/,
      ),
    ]);
  });
});

test.each(["token_limit: 0", "token_limit: 1.5", "priority_limit: 6", "request_limit: -1"])(
  "%s is out of range",
  (setting) => {
    expect(problemsIn(`users: [{ id: alice, ${setting} }]`)).toEqual([
      expect.stringContaining("must be a whole number from"),
    ]);
  },
);
