import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { generateKey } from "../../../src/http/keys.ts";
import { CHAT, STREAMED_CHAT } from "../../support/live-request.ts";
import { inTurn } from "../../support/router-scene.ts";
import { json, steppedStream } from "../../support/stub-behaviours.ts";
import { openProcessScene } from "./process-setup.ts";

const PATH = "/v1/chat/completions";

test("F63 a half-written config changes nothing; one without a user's key ends no running work", async () => {
  const behaviour = inTurn(steppedStream(2), json());
  const { router, stub, address, config, post } = await openProcessScene({ behaviour });
  const file = join(router.folder, "config.yaml");
  const streaming = post(PATH, STREAMED_CHAT);
  await stub.seen(1);
  stub.stream.step();

  writeFileSync(file, config.slice(0, config.indexOf("sha256") + 12));
  router.signal("SIGHUP");
  await router.printed(/"level":50.*"msg":"config not reloaded/);
  expect((await post(PATH, CHAT)).status).toBe(200);

  const other = generateKey();
  writeFileSync(file, config.replace(/sha256: \w+/, `sha256: ${other.sha256}`));
  router.signal("SIGHUP");
  await router.printed(/"changed":\["auth\.keys"\].*"msg":"config reloaded"/);
  expect((await post(PATH, CHAT)).status).toBe(401);
  stub.stream.step();
  stub.stream.step();
  expect(await (await streaming).text()).toMatch(/token0.*token1.*data: \[DONE\]\n\n$/s);

  const headers = { authorization: `Bearer ${other.key}` };
  const metrics = await (await fetch(`${address}/api/v1/metrics`, { headers })).text();
  expect(metrics).toMatch(/^router_config_reloads_total\{outcome="refused"\} 1$/m);
  expect(metrics).toMatch(/^router_config_reloads_total\{outcome="applied"\} 1$/m);
  expect(metrics).toMatch(/^router_leases\{counted="open"\} 0$/m);
  expect(metrics).toMatch(/^router_open_reservations 0$/m);
});
