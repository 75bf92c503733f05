import { spawn } from "node:child_process";
import { createServer, type AddressInfo } from "node:net";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { expect, onTestFinished, test } from "vitest";
import { createMonitoringService } from "../../../src/fleet/sources/monitoring-service.ts";
import { FakeNvidiaSmi, fakeGpu } from "../../support/fake-nvidia-smi.ts";

const MAIN = fileURLToPath(new URL("../../../src/monitoring-service/main.ts", import.meta.url));

/** `npm run monitor`, with this variables and this program in PATH, until the test ends. */
function startMonitor(env: Readonly<Record<string, string>>, args: readonly string[] = []) {
  const all = { MONITOR__HOST: "127.0.0.1", MONITOR__PORT: "0", PATH: "/nowhere", ...env };
  const child = spawn(process.execPath, [MAIN, ...args], { env: all });
  const output = { stdout: "", stderr: "" };
  child.stdout.on("data", (chunk: Buffer) => (output.stdout += chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => (output.stderr += chunk.toString()));
  const ended = once(child, "close").then(([status]) => status as number | null);
  onTestFinished(async () => {
    child.kill("SIGKILL");
    await ended;
  });
  const firstLine = async (): Promise<Record<string, unknown>> => {
    while (!output.stdout.includes("\n")) await once(child.stdout, "data");
    return JSON.parse(output.stdout.split("\n")[0] ?? "") as Record<string, unknown>;
  };
  return { child, output, ended, firstLine };
}

/** Where it listens, as it tells the router. */
function urlIn(line: Readonly<Record<string, unknown>>): string {
  return /url: "([^"]+)"/.exec(String(line.routerConfig))?.[1] ?? "";
}

function installNvidiaSmi(): FakeNvidiaSmi {
  const program = new FakeNvidiaSmi({
    gpus: [fakeGpu("GPU-a", 0), fakeGpu("GPU-b", 1)],
    everyMs: 20,
  });
  onTestFinished(() => program.remove());
  return program;
}

test("the router reads the GPUs of the box, and the service ends when told", async () => {
  const program = installNvidiaSmi();
  const monitor = startMonitor({ PATH: program.folder });
  const line = await monitor.firstLine();
  expect(line).toMatchObject({ msg: "gpus found", driver: "0.1" });
  expect(line.gpus).toEqual(["NVIDIA H100 80GB HBM3 (GPU-a)", "NVIDIA H100 80GB HBM3 (GPU-b)"]);
  const source = createMonitoringService({ name: "monitor", url: urlIn(line), token: null });
  const { gpus, problems } = await source.poll();
  expect(gpus.map(({ id, temperatureC }) => [id, temperatureC])).toEqual([
    ["GPU-a", 41],
    ["GPU-b", 41],
  ]);
  expect(problems).toEqual([]);
  expect(await source.health("GPU-a")).toEqual({ status: "healthy", errors: [] });
  await source.close();
  monitor.child.kill("SIGTERM");
  expect(await monitor.ended).toBe(0);
  expect(monitor.output.stderr).toBe("");
});

test("without nvidia-smi it stays up, says what to install, and answers 503", async () => {
  const monitor = startMonitor({});
  const line = await monitor.firstLine();
  expect(line).toMatchObject({ msg: "no telemetry, trying again" });
  expect(line.reason).toContain("nvidia-smi not found: install the NVIDIA driver");
  const answer = await fetch(`${urlIn(line)}/health`);
  expect(answer.status).toBe(503);
  expect(await answer.text()).toContain("Container Toolkit");
  monitor.child.kill("SIGINT");
  expect(await monitor.ended).toBe(0);
});

test("killed hard, it takes nvidia-smi with it", async () => {
  const program = installNvidiaSmi();
  const monitor = startMonitor({ PATH: program.folder });
  await monitor.firstLine();
  monitor.child.kill("SIGKILL");
  await monitor.ended;
  await program.hasEnded();
});

test("a token is asked for, and the router's config says where to put it", async () => {
  const program = installNvidiaSmi();
  const env = { PATH: program.folder, MONITOR__TOKEN: "secret-of-the-box" };
  const monitor = startMonitor(env);
  const line = await monitor.firstLine();
  expect(line.routerConfig).toContain("token_env: GPU_MONITORING_TOKEN");
  expect(monitor.output.stdout).not.toContain("secret-of-the-box");
  const source = createMonitoringService({
    name: "monitor",
    url: urlIn(line),
    token: "secret-of-the-box",
  });
  expect((await source.poll()).gpus).toHaveLength(2);
  await source.close();
});

test("a port that is taken is one sentence with the setting to change", async () => {
  const taken = createServer().listen(0, "127.0.0.1");
  await once(taken, "listening");
  const { port } = taken.address() as AddressInfo;
  const monitor = startMonitor({ MONITOR__PORT: String(port) });
  expect(await monitor.ended).toBe(1);
  taken.close();
  expect(monitor.output.stderr).toMatch(/^port \d+ is taken: .*MONITOR__PORT\n$/);
});

test("a mistyped setting or argument starts nothing", async () => {
  const setting = startMonitor({ MONITOR__PROT: "9000" });
  expect(await setting.ended).toBe(1);
  expect(setting.output.stderr).toBe(
    "MONITOR__PROT: unknown setting, did you mean MONITOR__PORT?\n",
  );
  const argument = startMonitor({}, ["--port=9000"]);
  expect(await argument.ended).toBe(1);
  expect(argument.output.stderr).toMatch(/^unknown argument --port=9000: settings are MONITOR__/);
});
