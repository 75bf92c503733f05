import { expect, test } from "vitest";
import {
  explainEnding,
  explainNoStart,
  refusedField,
  shortBusId,
  unreachableGpu,
} from "../../../../../src/fleet/sources/nvidia-smi/explain-failure.ts";

const endings: readonly (readonly [remark: string, fix: string])[] = [
  [
    "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver. Make sure that " +
      "the latest NVIDIA driver is installed and running.",
    "load the NVIDIA driver",
  ],
  ["Failed to initialize NVML: Driver/library version mismatch", "reboot"],
  ["Failed to initialize NVML: Unknown Error", "start it anew, with its GPUs"],
  ["No devices were found", "the driver sees no GPU"],
  ["Unable to determine the device handle for GPU0000:65:00.0: Unknown Error", "dmesg"],
];

test.each(endings)("%s", (remark, fix) => {
  const text = explainEnding({ remarks: [remark], exitCode: 9 });
  expect(text).toContain(remark.replace(/\.$/, ""));
  expect(text).toContain(fix);
});

test("what nobody foresaw is told as it is, with how it ended", () => {
  expect(explainEnding({ remarks: ["Segmentation", "fault"], exitCode: 139 })).toBe(
    "nvidia-smi says: Segmentation fault (it ended with exit status 139)",
  );
  expect(explainEnding({ remarks: [], exitCode: null })).toBe("nvidia-smi ended by a signal");
});

test("a program that is missing says what to install", () => {
  const missing = Object.assign(new Error("spawn nvidia-smi ENOENT"), { code: "ENOENT" });
  expect(explainNoStart("nvidia-smi", missing)).toMatch(/NVIDIA driver.*Container Toolkit.*--gpus/);
  const forbidden = Object.assign(new Error("spawn EACCES"), { code: "EACCES" });
  expect(explainNoStart("nvidia-smi", forbidden)).toContain("spawn EACCES");
});

test("the field that is refused", () => {
  expect(refusedField(['Field "compute_cap" is not a valid field to query.'])).toBe("compute_cap");
  expect(refusedField(["No devices were found"])).toBeNull();
});

test("bus ids are one, however long their domain is written", () => {
  expect(shortBusId("00000000:0B:00.0")).toBe("0:0b:00");
  expect(shortBusId("0000:0B:00.0")).toBe("0:0b:00");
  expect(shortBusId("0000000F:01:00.0")).toBe("f:01:00");
  expect(shortBusId("[N/A]")).toBeNull();
});

test("the GPU that cannot be opened", () => {
  const lost =
    "Unable to determine the device handle for GPU 0000:02:00.0: GPU is lost. Reboot the system " +
    "to recover this GPU";
  expect(unreachableGpu([lost])).toBe("0:02:00");
  expect(unreachableGpu(["No devices were found"])).toBeNull();
});
