import { expect, test } from "vitest";
import { sleep, systemClock } from "../../../../src/clock.ts";
import { fakeGpu } from "../../../support/fake-nvidia-smi.ts";
import { RARELY_MS, setUp, until } from "./nvidia-smi-setup.ts";

const LOST =
  "Unable to determine the device handle for GPU 0000:01:00.0: GPU is lost. Reboot the system to " +
  "recover this GPU";

test("while a GPU cannot be opened, the others are read, and it is in error", async () => {
  const gpus = [fakeGpu("GPU-a", 0), fakeGpu("GPU-b", 1), fakeGpu("GPU-c", 2)];
  const { program, source } = setUp({ gpus });
  await source.poll();
  program.set({ gpus: gpus.map((gpu, i) => (i === 1 ? { ...gpu, cannotBeOpened: LOST } : gpu)) });
  await program.isSeenBy(source);
  const found = await source.poll();
  const statuses = found.gpus.map(({ id, status }) => `${id} ${status}`).toSorted();
  expect(statuses).toEqual(["GPU-a available", "GPU-b error", "GPU-c available"]);
  const lost = found.gpus.find(({ id }) => id === "GPU-b");
  expect(lost).toMatchObject({ name: "NVIDIA H100 80GB HBM3", temperatureC: null });
  expect((await source.health("GPU-b"))?.status).toBe("critical");
  expect(found.health?.get("GPU-b")?.status).toBe("critical");
  expect(found.health?.get("GPU-a")?.status).toBe("healthy");
});

test("a GPU that was left out is tried again after ten minutes", async () => {
  const gpus = [fakeGpu("GPU-a", 0), fakeGpu("GPU-b", 1)];
  const { program, clock, source } = setUp({ gpus }, RARELY_MS);
  await source.poll();
  program.set({ gpus: [gpus[0]!, { ...gpus[1]!, cannotBeOpened: LOST }] });
  await program.isSeenBy(source);
  program.set({ gpus });
  await program.isSeenBy(source);
  const statuses = async () => (await source.poll()).gpus.map(({ status }) => status);
  expect(await statuses()).toEqual(["available", "error"]);
  clock.advance(600_000);
  // It was killed for this, which is no failure to wait after.
  while ((await statuses()).includes("error")) await sleep(systemClock, 5);
  expect(await statuses()).toEqual(["available", "available"]);
});

test("where leaving the GPU out does not help, it is not tried over and over", async () => {
  const gpus = [fakeGpu("GPU-a", 0), fakeGpu("GPU-b", 1)];
  const { program, clock, source } = setUp({ gpus });
  await source.poll();
  const lost = { ...gpus[1]!, cannotBeOpened: LOST };
  program.set({ gpus: [gpus[0]!, lost], refusesAll: true });
  await until(() => clock.waitsMs.at(-1) === 1000);
  expect(program.starts).toBe(2);
});

test("when no GPU can be opened, it says so", async () => {
  const { source } = setUp({ gpus: [fakeGpu("GPU-b", 1, { cannotBeOpened: LOST })] });
  await expect(source.poll()).rejects.toThrow(/GPU is lost.*reboot the machine/);
});

test("a GPU that tells its uuid no more is still the same", async () => {
  const { program, source } = setUp();
  await source.poll();
  program.set({ gpus: [fakeGpu("[Unknown Error]", 0, { "temperature.gpu": "[GPU is lost]" })] });
  await program.isSeenBy(source);
  const { gpus } = await source.poll();
  expect(gpus.map(({ id, status }) => [id, status])).toEqual([["GPU-1", "error"]]);
});
