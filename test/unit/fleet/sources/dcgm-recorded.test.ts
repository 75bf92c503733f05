import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { readDcgmPage } from "../../../../src/fleet/sources/dcgm-page.ts";
import { gpusOn, MIB, NOTHING_KNOWN } from "./dcgm-page-setup.ts";

function recorded(file: string): string {
  return readFileSync(new URL(`../../../fixtures/dcgm/${file}`, import.meta.url), "utf8");
}

describe("a recorded page", () => {
  test("of a GPU in Kubernetes, with the labels of its pod", async () => {
    const page = recorded("rtx4000-pod-labels.txt");
    expect(await gpusOn(page)).toEqual({
      gpus: [
        {
          ...NOTHING_KNOWN,
          id: "GPU-a8394b51-c086-568a-9f1a-c1e1c934c44c",
          name: "NVIDIA RTX 4000 Ada Generation",
          memoryTotalBytes: 20_473 * MIB,
          memoryUsedBytes: 1 * MIB,
          memoryFreeBytes: 20_015 * MIB,
          utilization: 0,
          temperatureC: 48,
          powerUsageW: 40.979,
        },
      ],
      problems: [],
    });
    expect((await readDcgmPage(page))[0]?.evidence).toEqual({
      xids: new Map(),
      lastXid: 0,
      remapFailed: 0,
      remapPending: null,
      doubleBitErrors: null,
    });
  });

  test("without XID series: none are offered, which is not the same as none happened", async () => {
    const page = recorded("l40s-without-xid.txt");
    const { gpus } = await gpusOn(page);
    expect(gpus).toMatchObject([{ name: "NVIDIA L40S", memoryTotalBytes: 46_067 * MIB }]);
    expect((await readDcgmPage(page))[0]?.evidence).toMatchObject({ xids: null, remapFailed: 0 });
  });

  test("of a card in MIG mode: its instance, with the card's temperature and power", async () => {
    expect((await gpusOn(recorded("a100-mig.txt"))).gpus).toEqual([
      {
        ...NOTHING_KNOWN,
        id: "MIG-GPU-34319582-d595-d1c7-d1d2-179bcfa61660.13",
        name: "MIG 1g.5gb",
        status: "busy",
        utilization: 0.995687,
        temperatureC: 61,
        powerUsageW: 409.692,
      },
    ]);
  });

  test("with the names and units of DCGM 4.7", async () => {
    const page = recorded("renamed-metrics.txt");
    expect((await gpusOn(page)).gpus).toEqual([
      {
        ...NOTHING_KNOWN,
        id: "GPU-5b4e07f6-3a86-4340-039d-25f2a83cdc43",
        name: "NVIDIA L40S",
        status: "busy",
        memoryTotalBytes: 48_304_750_592,
        memoryUsedBytes: 2_097_152,
        memoryFreeBytes: 47_665_119_232,
        utilization: 0.57,
        temperatureC: 32,
        powerUsageW: 35.686,
        powerLimitW: 300,
      },
    ]);
    const xids = new Map([[92, "High single-bit ECC error rate"]]);
    expect((await readDcgmPage(page))[0]?.evidence).toMatchObject({ xids, remapFailed: 0 });
  });

  test("with a blank value: it is unknown, and no news", async () => {
    const id = "GPU-604ac76c-d9cf-fef3-62e9-d92044ab6e52";
    const page = recorded("readme-blank-value.txt");
    expect(await gpusOn(page)).toEqual({ gpus: [{ ...NOTHING_KNOWN, id }], problems: [] });
  });
});
