import { spawnSync } from "node:child_process";
import { describe, expect, test } from "vitest";
import { ROOT } from "../house/source-text.ts";

/** Runs the check on this Node, which says that it is another. */
function runOn(version: string): { readonly status: number | null; readonly text: string } {
  const pretend = `
    Object.defineProperty(process.versions, "node", { value: "${version}" });
    Object.defineProperty(process, "version", { value: "v${version}" });`;
  const preloads = [`data:text/javascript,${encodeURIComponent(pretend)}`, "./src/require-node.js"];
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [...preloads.map((module) => `--import=${module}`), "--eval=console.log('started')"],
    { cwd: ROOT, encoding: "utf8" },
  );
  return { status, text: stdout + stderr };
}

describe("starting", () => {
  test.each(["18.19.0", "20.20.2", "22.18.0", "23.11.1"])("stops on Node %s", (version) => {
    const { status, text } = runOn(version);
    expect(status).toBe(1);
    expect(text).toContain(`needs Node.js 24 or later; this is v${version}.`);
    expect(text).toContain("npm ci");
    expect(text.trimEnd().split("\n")).toHaveLength(3);
  });

  test.each(["24.0.0", "26.10.0", "100.0.0"])("goes on with Node %s, without a word", (version) => {
    expect(runOn(version)).toEqual({ status: 0, text: "started\n" });
  });
});
