import { expect, onTestFinished, test } from "vitest";
import { words } from "../../support/documented-words.ts";
import { json } from "../../support/stub-behaviours.ts";
import { StubLogSink } from "../../support/stub-log-sink.ts";
import { chatOf, openProcessScene } from "../faults/process-setup.ts";

test("log lines are not taken: stdout says that the Logging Service fails, and when it works again", async () => {
  const sink = await new StubLogSink().start();
  onTestFinished(() => sink.stop());
  await sink.stop();
  const scene = await openProcessScene({ behaviour: json(), env: { LOGGING_URL: sink.url } });
  expect(await chatOf(3, scene)).toBe(200);
  await scene.router.printed(words("logging service failing"));
  expect(scene.router.stdout).not.toMatch(words("logging service works again"));
  await sink.start();
  await scene.router.printed(words("logging service works again"));
});
