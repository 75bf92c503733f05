import { mkdtempSync, renameSync, rmSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { lookAtFile, watchFile, type FileLook } from "../../../src/config/watch-file.ts";
import { FakeClock } from "../../support/fake-clock.ts";

/** A watched file that looks as a test says. */
function watched(known: FileLook = "a") {
  const clock = new FakeClock();
  const now = { look: () => Promise.resolve<FileLook>(known) };
  const told: string[] = [];
  const watch = watchFile(known, {
    clock,
    look: () => now.look(),
    onChange: () => told.push("changed"),
    onGone: () => told.push("gone"),
  });
  /** One look for each: how the file looks then. */
  const looks = async (...seen: readonly FileLook[]): Promise<void> => {
    for (const look of seen) {
      now.look = () => Promise.resolve(look);
      await clock.advanceAsync(1000);
    }
  };
  return { clock, now, told, watch, looks };
}

describe("a watched file", () => {
  test("that stays as it is is looked at every second, and nothing is said", async () => {
    const { looks, told } = watched();
    await looks("a", "a", "a");
    expect(told).toEqual([]);
  });

  test("that changed is told of once, when two looks in a row agree", async () => {
    const { looks, told } = watched();
    await looks("b");
    expect(told).toEqual([]);
    await looks("b");
    expect(told).toEqual(["changed"]);
    await looks("b", "b");
    expect(told).toEqual(["changed"]);
  });

  test("that is being written is left alone until it stands still", async () => {
    const { looks, told } = watched();
    await looks("b", "c", "d", "e");
    expect(told).toEqual([]);
    await looks("e");
    expect(told).toEqual(["changed"]);
  });

  test("that is again as it was known has not changed", async () => {
    const { looks, told } = watched();
    await looks("b", "a", "a");
    expect(told).toEqual([]);
  });

  test("that is gone for one look, as while an editor renames, is not missed", async () => {
    const { looks, told } = watched();
    await looks(null, "b", "b");
    expect(told).toEqual(["changed"]);
  });

  test("that goes away is told of once, and its return is a change", async () => {
    const { looks, told } = watched();
    await looks(null, null, null, null);
    expect(told).toEqual(["gone"]);
    await looks("a", "a");
    expect(told).toEqual(["gone", "changed"]);
  });

  test("that was not there when it was last read is a change as soon as it is", async () => {
    const { looks, told } = watched(null);
    await looks(null, null, "a", "a");
    expect(told).toEqual(["changed"]);
  });

  test("is not asked again while a look hangs", async () => {
    const { clock, now, told } = watched();
    let asked = 0;
    const { promise, resolve } = Promise.withResolvers<FileLook>();
    now.look = () => {
      asked += 1;
      return promise;
    };
    await clock.advanceAsync(5000);
    expect(asked).toBe(1);
    resolve("b");
    now.look = () => Promise.resolve("b");
    await clock.advanceAsync(2000);
    expect(told).toEqual(["changed"]);
  });

  test("that is read for another reason is news only as it looks after that", async () => {
    const { looks, told, watch } = watched();
    await looks("b");
    watch.believe("b");
    await looks("b", "b");
    expect(told).toEqual([]);
    await looks("c", "c");
    expect(told).toEqual(["changed"]);
  });

  test("is not watched any more after the close, not even by a look under way", async () => {
    const { clock, now, told, watch, looks } = watched();
    await looks("b");
    const { promise, resolve } = Promise.withResolvers<FileLook>();
    now.look = () => promise;
    await clock.advanceAsync(1000);
    watch.close();
    expect(clock.pendingTimers).toBe(0);
    resolve("b");
    await clock.advanceAsync(5000);
    expect(told).toEqual([]);
  });
});

describe("the look of a file", () => {
  function inFolder() {
    const folder = mkdtempSync(join(tmpdir(), "router-watch-"));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    return (name: string) => join(folder, name);
  }

  test("stays the same while nobody touches it", async () => {
    const path = inFolder()("config.yaml");
    writeFileSync(path, "one");
    expect(await lookAtFile(path)).toBe(await lookAtFile(path));
  });

  test("is another after a write, also of as many bytes and with the old time", async () => {
    const path = inFolder()("config.yaml");
    writeFileSync(path, "one");
    utimesSync(path, 1000, 1000);
    const before = await lookAtFile(path);
    writeFileSync(path, "two");
    utimesSync(path, 1000, 1000);
    expect(await lookAtFile(path)).not.toBe(before);
  });

  test("is another where a file takes its place, or a link leads elsewhere, as in Kubernetes", async () => {
    const at = inFolder();
    for (const name of ["old", "new"]) writeFileSync(at(name), "same");
    symlinkSync(at("old"), at("..data"));
    symlinkSync(at("..data"), at("config.yaml"));
    const before = await lookAtFile(at("config.yaml"));
    symlinkSync(at("new"), at("..next"));
    renameSync(at("..next"), at("..data"));
    expect(await lookAtFile(at("config.yaml"))).not.toBe(before);
  });

  test("is null for one that is not there", async () => {
    expect(await lookAtFile(inFolder()("config.yaml"))).toBeNull();
  });
});
