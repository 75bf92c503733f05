import { existsSync } from "node:fs";
import { describe, expect, onTestFinished, test } from "vitest";
import { CHAT } from "../../support/live-request.ts";
import { openScene } from "../../support/router-scene.ts";
import { held } from "../../support/stub-behaviours.ts";
import { reportedGpu, startStubMonitoringService } from "../../support/stub-monitoring-service.ts";
import type { TestRouter } from "../../support/test-router.ts";
import { maintenanceOf } from "../maintenance/maintenance-setup.ts";
import { CHAT_PATH } from "../reload/reload-setup.ts";
import { runCtl, startCtl } from "./run-ctl.ts";

/** A process starts within this, on a busy machine too. */
const SOON = { timeout: 20_000, interval: 5 };

const operating = ({ url, keys }: TestRouter) => ({ url, key: keys.operator });

/** One worker on GPU-1, as the router's monitor reports it. */
async function openFleet(behaviour?: ReturnType<typeof held>["behaviour"]) {
  const monitor = await startStubMonitoringService({ gpus: [reportedGpu("GPU-1")] });
  onTestFinished(() => monitor.close());
  const scene = await openScene({
    worker: { gpus: ["GPU-1"] },
    config: { gpu_monitoring: { url: monitor.url } },
    ...(behaviour && { behaviour }),
  });
  return { ...scene, options: operating(scene.router) };
}

test.each([
  [["gpus"], /^GPU +NAME .*\nGPU-1 .* worker-1 +\d+ s\n$/],
  [["workers"], /^WORKER .*\nworker-1 .* stub-model\n$/],
  [["quotas"], /^USER .*\noperator +0\//],
  [["quotas", "bob"], /^USER .*\nbob +0\//],
  [["jobs"], /^no jobs\n$/],
  [["health"], /^healthy\nworkers +1 up\n/],
  [["clear", "GPU-1"], /^GPU-1 had no cooldown\.\n$/],
  [
    ["explain", "--model", "stub-model"],
    /^it would go to worker-1 .*\n\n +WORKER +SCORE +USAGE +PRIORITY +PERFORMANCE +HEALTH\n\* +worker-1 +\d\.\d\d /,
  ],
  [["gpus", "--json"], /^\{\n {2}"gpus": \[\n.*"gpu_id": "GPU-1"/s],
])("%j prints what the router says", async (argv, pattern) => {
  const { options } = await openFleet();
  const { exitCode, stdout, stderr } = await runCtl(argv, options);
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
  expect(stdout).toMatch(pattern);
});

test("explain reads a body from stdin", async () => {
  const { options } = await openFleet();
  const input = JSON.stringify({ model_id: "nobody-has-it", payload: { messages: [] } });
  const { exitCode, stdout } = await runCtl(["explain", "-"], { ...options, input });
  expect(exitCode).toBe(0);
  expect(stdout).toMatch(/^nobody could take it now .*\n\nREJECTED .*\nworker-1 +serves_model /);
});

test("a GPU is cordoned with a reason, and put back", async () => {
  const { router, options } = await openFleet();
  const { stdout } = await runCtl(["cordon", "GPU", "new", "fan"], options);
  expect(stdout).toMatch(/^GPU-1 is cordoned: .* no request runs there\.\nIt lasts until it is/);
  expect(await maintenanceOf(router, "GPU-1")).toMatchObject({ reason: "new fan", by: "operator" });
  expect((await runCtl(["gpus"], options)).stdout).toMatch(
    /GPU-1: cordoned by operator \d+ s ago: new fan/,
  );
  expect((await runCtl(["uncordon", "GPU-1"], options)).stdout).toBe("GPU-1 is not cordoned.\n");
  expect(await maintenanceOf(router, "GPU-1")).toBeNull();
});

describe("drain", () => {
  test("waits for what runs there", async () => {
    const busy = held();
    const { router, stub, options } = await openFleet(busy.behaviour);
    const running = router.post(CHAT_PATH, CHAT);
    await stub.seen(1);
    const { seen, ended } = startCtl(["drain", "GPU-1"], options);
    await expect.poll(() => seen.stderr, SOON).toContain("1 request still runs there (worker-1 1)");
    busy.release();
    expect((await running).status).toBe(200);
    expect(await ended).toMatchObject({
      exitCode: 0,
      stdout: "GPU-1 is drained: nothing runs there. npm run ctl -- uncordon GPU-1 ends it.\n",
    });
  });

  test("at Ctrl-C leaves it cordoned, and says so", async () => {
    const busy = held();
    const { router, stub, options } = await openFleet(busy.behaviour);
    const running = router.post(CHAT_PATH, CHAT);
    await stub.seen(1);
    const { child, seen, ended } = startCtl(["drain", "GPU-1"], options);
    await expect.poll(() => seen.stderr, SOON).toContain("1 request still runs there");
    child.kill("SIGINT");
    const { exitCode, stderr } = await ended;
    expect(exitCode).toBe(130);
    expect(stderr).toMatch(/GPU-1 stays cordoned: 1 request still runs there .* ends it\.\n$/);
    expect(await maintenanceOf(router, "GPU-1")).not.toBeNull();
    busy.release();
    expect((await running).status).toBe(200);
  });
});

test.each([
  [["cordon", "GPU-1"], { key: "user-key" }, /^1 FORBIDDEN: .*operator or admin, not user/],
  [["drain", "GPU-9"], {}, /^1 GPU_NOT_FOUND: no such GPU or worker: .* \(HTTP 404\)\n$/],
  [["gpus"], { url: "http://127.0.0.1:9" }, /^1 no router answers at http:.*set ROUTER_URL\n$/],
  [["gpus"], { key: "" }, /^2 ROUTER_API_KEY is not set/],
  [["nonsense"], {}, /^2 there is no command "nonsense"/],
])("%j with %j ends with an exit code and one sentence: %s", async (argv, changes, ending) => {
  const { options } = await openFleet();
  const { exitCode, stdout, stderr } = await runCtl(argv, { ...options, ...changes });
  expect(stdout).toBe("");
  expect(stderr).toMatch(/^.+\n$/);
  expect(`${exitCode} ${stderr}`).toMatch(ending);
});

test("whoever stops reading its output gets no stack trace", async () => {
  const { options } = await openFleet();
  const { child, ended } = startCtl(["gpus"], options);
  child.stdout.destroy();
  expect(await ended).toMatchObject({ exitCode: 0, stderr: "" });
});

test.runIf(existsSync("/dev/full"))("output that cannot be written is no success", async () => {
  const { options } = await openFleet();
  const { exitCode, stderr } = await runCtl(["gpus"], { ...options, into: "/dev/full" });
  expect(exitCode).toBe(1);
  expect(stderr).toMatch(/^the output could not be written: ENOSPC.*\n$/);
});

test("without arguments it prints its help", async () => {
  const { exitCode, stdout } = await runCtl([], {});
  expect(exitCode).toBe(0);
  expect(stdout).toMatch(/^Usage: npm run ctl -- <command>/);
});
