import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { ROOT, SCENE_WORKERS, sceneConfig } from "./scene.ts";
import { serveStub } from "./stub-services.ts";

/** The scene of docker-compose.test.yml on loopback, with a router process of its own. */
export interface OwnScene {
  readonly routerUrl: string;
  readonly logSinkUrl: string;
  close(): Promise<void>;
}

export async function startOwnScene(): Promise<OwnScene> {
  const onLoopback = { host: "127.0.0.1", port: 0 };
  const monitor = await serveStub("monitor", onLoopback);
  const logSink = await serveStub("log-sink", onLoopback);
  const workers = await Promise.all(SCENE_WORKERS.map(() => serveStub("worker", onLoopback)));
  const stubs = [monitor, logSink, ...workers];

  let config = sceneConfig()
    .replace("http://gpu-monitoring-service:8080", monitor.url)
    .replace("http://logging-service:3100", logSink.url);
  workers.forEach(({ url }, index) => {
    config = config.replace(`http://${SCENE_WORKERS[index]}:8000`, url);
  });
  const folder = mkdtempSync(join(tmpdir(), "router-e2e-"));
  writeFileSync(join(folder, "config.yaml"), config);
  const router = startRouter(folder);
  const close = async (): Promise<void> => {
    await router.stop();
    for (const stub of stubs) stub.close();
    rmSync(folder, { recursive: true });
  };
  try {
    return { routerUrl: await router.address, logSinkUrl: logSink.url, close };
  } catch (error) {
    await close();
    throw error;
  }
}

interface RouterChild {
  readonly address: Promise<string>;
  stop(): Promise<void>;
}

function startRouter(folder: string): RouterChild {
  const child = spawn(process.execPath, [join(ROOT, "src/main.ts")], {
    cwd: folder,
    env: { API_HOST: "127.0.0.1", API_PORT: "0", NODE_ENV: "production" },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const ended = new Promise<void>((resolve) => child.once("close", () => resolve()));
  let complaint = "";
  child.stderr.on("data", (chunk: Buffer) => {
    complaint += chunk.toString();
  });
  const address = new Promise<string>((resolve, reject) => {
    createInterface({ input: child.stdout }).on("line", (line) => {
      const found = /"address":"([^"]+)"/.exec(line)?.[1];
      if (found !== undefined) resolve(found);
    });
    void ended.then(() => reject(new Error(`the router did not start:\n${complaint}`)));
  });
  const stop = async (): Promise<void> => {
    child.kill("SIGINT");
    await ended;
  };
  return { address, stop };
}
