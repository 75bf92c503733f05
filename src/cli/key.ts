import { runKeyCommand } from "./key-command.ts";

const { exitCode, stdout, stderr } = runKeyCommand(process.argv.slice(2));
process.stdout.write(stdout);
process.stderr.write(stderr);
process.exitCode = exitCode;
