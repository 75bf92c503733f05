import { expect, test } from "vitest";
import { KNOWN_NAMES } from "../../../src/app.ts";
import { configSchema } from "../../../src/config/schema.ts";
import { demoConfig } from "../../../src/demo/demo-config.ts";

const fleet = {
  monitoringUrl: "http://127.0.0.1:1",
  workers: [],
  keys: [],
  docsKey: null,
  close: () => Promise.resolve(),
};

const configWith = (users: readonly { readonly id: string; readonly gpu_limit?: number }[]) =>
  configSchema({ names: KNOWN_NAMES, env: {} }).parse({ users });

test("in the demo, the user demo has room to play, and the user limited the default limits", () => {
  const config = configWith([{ id: "bob" }]);
  const { users, user_quota_manager: defaults } = demoConfig(config, fleet);
  expect(users.map(({ id }) => id)).toEqual(["bob", "demo"]);
  expect(users[1]).toMatchObject({ gpu_limit: 4, request_limit: 100_000, priority_limit: 5 });
  expect(defaults).toEqual(config.user_quota_manager);
});

test("limits of demo that the environment gives stand", () => {
  const { users } = configWith([{ id: "demo", gpu_limit: 1 }]);
  expect(demoConfig(configWith([{ id: "demo", gpu_limit: 1 }]), fleet).users).toEqual(users);
});
