import { expect, test } from "vitest";
import { meantId, shortIds } from "../../../src/cli/short-ids.ts";

const UUID = "0000-1111-2222-333344445555";

test("UUIDs are told by their first part, unless two begin alike; other ids are shown whole", () => {
  const alike = [`GPU-aaaaaaaa-${UUID}`, "GPU-aaaaaaaa-0000-1111-2222-333344446666"];
  const ids = [`GPU-8a1c2f3e-${UUID}`, `MIG-8a1c2f3e-${UUID}`, "gpu-h100", "node1", ...alike];
  expect([...shortIds(ids).values()]).toEqual([
    ...["GPU-8a1c2f3e", "MIG-8a1c2f3e", "gpu-h100", "node1"],
    ...alike,
  ]);
});

test("the beginning of one id means it, and the whole of one never another", () => {
  const known = ["node1", "node10", "gpu-a"];
  expect(meantId("gpu", known)).toBe("gpu-a");
  expect(meantId("node1", known)).toBe("node1");
  expect(meantId("unknown", known)).toBe("unknown");
});

test("the beginning of several is refused with their names, of many with some of them", () => {
  expect(() => meantId("node", ["node1", "node2"])).toThrow(
    '"node" may mean node1, node2: type more of it',
  );
  const many = Array.from({ length: 9 }, (_, at) => `node${at}`);
  expect(() => meantId("node", many)).toThrow(/node0, node1, node2, node3, node4, …: type/);
});
