// Loaded by every npm script before anything else. Plain, old JavaScript without imports, so that an
// old Node reaches the sentences below instead of a syntax error in the first TypeScript file.

var neededMajor = 24;
var foundMajor = parseInt(process.versions.node.split(".")[0], 10);

if (foundMajor < neededMajor) {
  console.error(
    [
      "gpu-request-router needs Node.js " +
        neededMajor +
        " or later; this is " +
        process.version +
        ".",
      "On Linux and on Macs with Apple silicon, `npm ci` brings the right one and `npm start` uses it,",
      "unless it ran with --omit=optional. Elsewhere, install it from https://nodejs.org.",
    ].join("\n"),
  );
  process.exit(1);
}
