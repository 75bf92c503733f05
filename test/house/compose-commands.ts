import { codeBlocks, inlineCode } from "./markdown-parts.ts";

/** Each command that a page tells its reader to run, those inside $(…) and behind && and | too. */
export function commandsIn(page: string): readonly string[] {
  const blocks = codeBlocks(page).filter(({ language }) => language === "sh");
  const lines = [...blocks.flatMap(({ text }) => text.split("\n")), ...inlineCode(page)];
  return lines.flatMap((line) => line.split(/\$\(|\)"| && | \| /)).map((line) => line.trim());
}

export interface ComposeCommand {
  readonly line: string;
  readonly file: string;
  readonly subcommand: string;
  readonly services: readonly string[];
}

const COMPOSE = "docker compose ";
const OPTIONS_WITH_VALUE = new Set(["-f", "-p", "-s", "--tail", "--profile"]);

export function composeCommandsIn(page: string): readonly ComposeCommand[] {
  return commandsIn(page)
    .filter((line) => line.startsWith(COMPOSE))
    .map((line) => {
      const words = line.slice(COMPOSE.length).split(" ");
      const plain = words.filter((word, index) => {
        return !word.startsWith("-") && !OPTIONS_WITH_VALUE.has(words[index - 1] ?? "");
      });
      const [subcommand = "", ...named] = plain;
      // What follows the service of `run` is the command that runs in it.
      const services = subcommand === "run" ? named.slice(0, 1) : named;
      return { line, file: words[words.indexOf("-f") + 1] ?? "", subcommand, services };
    });
}
