import { describe, expect, test } from "vitest";
import {
  healthOf,
  XidMemory,
  type DcgmEvidence,
} from "../../../../src/fleet/sources/dcgm-health.ts";
import type { GpuHealth } from "../../../../src/fleet/gpu.ts";
import { meaningOf } from "../../../../src/fleet/sources/xid.ts";

const NOTHING: DcgmEvidence = {
  xids: null,
  lastXid: null,
  remapFailed: null,
  remapPending: null,
  doubleBitErrors: null,
};

const WELL: DcgmEvidence = {
  xids: new Map(),
  lastXid: 0,
  remapFailed: 0,
  remapPending: 0,
  doubleBitErrors: 0,
};

const CHANGED = "GPU recovery action changed from";

const xid = (code: number, words = "") => ({ xids: new Map([[code, words]]) });

describe("health", () => {
  test.each<[string, Partial<DcgmEvidence>, GpuHealth]>([
    [
      "a fallen GPU",
      xid(79, "GPU has fallen off the bus"),
      { status: "critical", errors: ["XID 79: GPU has fallen off the bus"] },
    ],
    ["a code without words", xid(48), { status: "critical", errors: ["XID 48"] }],
    ["a code of the hardware", xid(94), { status: "warning", errors: ["XID 94"] }],
    ["a code that nobody knows", xid(999), { status: "warning", errors: ["XID 999"] }],
    [
      "a program's mistake",
      xid(31, "GPU memory page fault"),
      {
        status: "healthy",
        errors: ["XID 31: GPU memory page fault (not a fault of the GPU)"],
      },
    ],
    [
      "failed row remapping",
      { remapFailed: 1 },
      { status: "critical", errors: ["remapping of broken memory rows has failed"] },
    ],
    [
      "pending row remapping",
      { remapPending: 1 },
      { status: "warning", errors: ["memory rows wait to be remapped: reset the GPU"] },
    ],
    [
      "uncorrected errors",
      { doubleBitErrors: 3 },
      { status: "warning", errors: ["3 uncorrected ECC errors since the driver was loaded"] },
    ],
    [
      "a recovery action that ended",
      xid(154, `${CHANGED} 0x1 (GPU Reset Required) to 0x0 (None)`),
      {
        status: "healthy",
        errors: [
          `XID 154: ${CHANGED} 0x1 (GPU Reset Required) to 0x0 (None) (not a fault of the GPU)`,
        ],
      },
    ],
    ["nothing", {}, { status: "healthy", errors: [] }],
  ])("of %s", (_, found, expected) => {
    expect(healthOf({ ...WELL, ...found })).toEqual(expected);
  });

  test("is the worst that was found, and names all of it, the worst first", () => {
    const xids = new Map([
      [31, ""],
      [63, ""],
      [64, ""],
    ]);
    expect(healthOf({ ...WELL, xids, doubleBitErrors: 1 })).toEqual({
      status: "critical",
      errors: [
        "XID 64",
        "XID 63",
        "1 uncorrected ECC errors since the driver was loaded",
        "XID 31 (not a fault of the GPU)",
      ],
    });
  });

  test("is not offered where the exporter has none of its metrics", () => {
    expect(healthOf(NOTHING)).toBeNull();
    expect(healthOf({ ...NOTHING, remapFailed: 0 })).toEqual({ status: "healthy", errors: [] });
  });

  test("does not pass on words without end", () => {
    const [text = ""] = healthOf({ ...WELL, ...xid(79, "x".repeat(10_000)) })?.errors ?? [];
    expect(text).toHaveLength("XID 79: ".length + 200);
  });
});

test.each([
  [[46, 48, 62, 64, 74, 79, 95, 119, 120, 140, 143, 154], "needs reset"],
  [[61, 63, 92, 94, 109, 121, 144, 500], "hardware"],
  [[13, 31, 43, 45, 68, 69], "application"],
] as const)("XID %j: %s", (codes, meaning) => {
  expect(codes.map((code) => meaningOf(code))).toEqual(codes.map(() => meaning));
});

test.each([
  ["0x1 (GPU Reset Required) to 0x0 (None)", "application"],
  ["0x0 (None) to 0x3 (Drain P2P)", "hardware"],
  ["0x0 (None) to 0x1 (GPU Reset Required)", "needs reset"],
  ["0x0 (None) to 0x2 (Node Reboot Required)", "needs reset"],
  ["0x3 (Drain P2P) to 0x4 (Drain and Reset)", "needs reset"],
])("XID 154 is what the driver recommends now: %s is %s", (change, meaning) => {
  expect(meaningOf(154, `${CHANGED} ${change}`)).toBe(meaning);
  expect(meaningOf(79, `${CHANGED} ${change}`)).toBe("needs reset");
});

describe("a code that needs a reset", () => {
  /** What the gauge shows; null = it is not there; and the codes counted in the exporter's window. */
  type Shown = readonly [lastXid: number | null, ...counted: readonly number[]];

  function tell(memory: XidMemory, shown: Readonly<Record<string, Shown>>) {
    const told = Object.entries(shown).map(([id, [lastXid, ...counted]]) => {
      const codes = [...(lastXid ? [lastXid] : []), ...counted];
      const isOffered = lastXid !== null || counted.length > 0;
      const xids = isOffered ? new Map(codes.map((code) => [code, `words of ${code}`])) : null;
      return [id, { xids, lastXid }] as const;
    });
    return Object.fromEntries([...memory.add(new Map(told))].map(([id, x]) => [id, x && [...x]]));
  }
  const fallen = [79, "words of 79"];
  const ended = [45, "words of 45"];

  test("counts on while the gauge shows another one, and no longer once it shows none", () => {
    const memory = new XidMemory();
    expect(tell(memory, { a: [79], b: [0] })).toEqual({ a: [fallen], b: [] });
    expect(tell(memory, { a: [45], b: [45] })).toEqual({ a: [fallen, ended], b: [ended] });
    expect(tell(memory, { a: [45], b: [45] })).toEqual({ a: [fallen, ended], b: [ended] });
    expect(tell(memory, { a: [0], b: [0] })).toEqual({ a: [], b: [] });
    expect(tell(memory, { a: [45], b: [0] })).toEqual({ a: [ended], b: [] });
  });

  test("is forgotten too when the gauge's series is gone: DCGM is new", () => {
    const memory = new XidMemory();
    tell(memory, { a: [79] });
    expect(tell(memory, { a: [null] })).toEqual({ a: null });
    expect(tell(memory, { a: [31] })).toEqual({ a: [[31, "words of 31"]] });
  });

  test("and nothing else is kept", () => {
    const memory = new XidMemory();
    tell(memory, { a: [94, 79, 31] });
    expect(tell(memory, { a: [45] })).toEqual({ a: [fallen, ended] });
  });

  test("counts on after the exporter's window where the gauge was never there", () => {
    const memory = new XidMemory();
    tell(memory, { a: [null, 79], b: [null, 31] });
    expect(tell(memory, { a: [null], b: [null] })).toEqual({ a: [fallen], b: null });
    expect(tell(memory, { a: [null, 45], b: [null] })).toEqual({ a: [fallen, ended], b: null });
    expect(tell(memory, { a: [45], b: [null] })).toEqual({ a: [fallen, ended], b: null });
    expect(tell(memory, { a: [0], b: [null] })).toEqual({ a: [], b: null });
  });

  test("is forgotten without the gauge once the GPU was gone, or the exporter", () => {
    const memory = new XidMemory();
    tell(memory, { a: [null, 79], b: [null, 79] });
    tell(memory, { b: [null] });
    expect(tell(memory, { a: [null], b: [null] })).toEqual({ a: null, b: [fallen] });
    memory.forget();
    expect(tell(memory, { b: [null] })).toEqual({ b: null });
  });

  test("is not forgotten with the exporter where the gauge says whether DCGM is new", () => {
    const memory = new XidMemory();
    tell(memory, { a: [79] });
    memory.forget();
    expect(tell(memory, { a: [45] })).toEqual({ a: [fallen, ended] });
  });
});
