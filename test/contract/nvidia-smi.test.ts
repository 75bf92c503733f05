import { systemClock } from "../../src/clock.ts";
import { createNvidiaSmi } from "../../src/fleet/sources/nvidia-smi.ts";
import { FakeNvidiaSmi, fakeGpu, NO_DRIVER } from "../support/fake-nvidia-smi.ts";
import { describeGpuSource } from "./gpu-source.contract.ts";

describeGpuSource("nvidia-smi", async () => {
  const program = new FakeNvidiaSmi();
  const source = createNvidiaSmi({
    name: "local",
    clock: systemClock,
    intervalMs: 20,
    command: program.command,
  });
  return {
    source: {
      name: source.name,
      host: source.host,
      // It answers from its latest round, and the contract asks for what is there now.
      poll: async () => {
        await program.isSeenBy(source);
        return source.poll();
      },
      health: async (id) => {
        await program.isSeenBy(source);
        return source.health(id);
      },
      close: () => source.close(),
    },
    report: (ids) => program.set({ gpus: ids.map((id, index) => fakeGpu(id, index)) }),
    makeCritical: (id) => {
      const lost = { "temperature.gpu": "[GPU is lost]" };
      program.set({
        gpus: program.gpus.map((gpu) => (gpu.uuid === id ? { ...gpu, ...lost } : gpu)),
      });
      const text = "GPU is lost: it does not answer on its bus; reboot the machine";
      return { status: "critical", errors: [text] };
    },
    breakDown: async () => program.set({ failure: NO_DRIVER }),
    stop: async () => program.remove(),
  };
});
