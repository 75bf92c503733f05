import type { Clock } from "../clock.ts";
import type { Environment } from "../config/secrets.ts";
import { printableJson } from "./printable.ts";
import type { RouterClient } from "./router-client.ts";
import type { Page } from "./table.ts";

/** What ctl has of the process around it. */
export interface Surroundings {
  readonly env: Environment;
  readonly clock: Clock;
  readonly fetch: typeof fetch;
  /** stdout. */
  readonly page: Page;
  /** Columns of stderr; Infinity = not a terminal. */
  readonly errWidth: number;
  /** To stdout and stderr, as they are. */
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
  /** The text of a file; of stdin for "-". Rejects as node:fs does. */
  readonly read: (path: string) => Promise<string>;
  /** At Ctrl-C `run` is called, and nothing else happens. */
  readonly onInterrupt: (run: () => void) => void;
}

/** Where one command works. */
export interface Desk extends Surroundings {
  readonly call: RouterClient;
  /** Answers are printed as the API gave them. */
  readonly json: boolean;
  readonly options: Options;
}

interface Options {
  readonly model?: string | undefined;
  readonly priority?: string | undefined;
  readonly user?: string | undefined;
}

/** Exit codes. */
export const OK = 0;
export const REFUSED = 1;
export const MISUSED = 2;
/** As shells have it for SIGINT. */
export const INTERRUPTED = 130;

/** The command line cannot be understood; the message says what is missing. */
export class Misuse extends Error {}

function printLines(desk: Surroundings, lines: readonly string[]): void {
  desk.out(`${lines.join("\n")}\n`);
}

/** The API's answer for programs, or else its `lines` for people. */
export function printAnswer(desk: Desk, body: unknown, lines: () => readonly string[]): void {
  printLines(desk, desk.json ? [printableJson(body)] : lines());
}
