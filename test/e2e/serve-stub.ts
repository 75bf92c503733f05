import { STUB_SERVICES, serveStub, type StubService } from "./stub-services.ts";

/** `node test/e2e/serve-stub.ts <service> <port>`: one of the stubs of docker-compose.test.yml. */
const [service = "", port] = process.argv.slice(2);
if (!isStubService(service)) {
  throw new Error(`"${service}" is none of ${Object.keys(STUB_SERVICES).join(", ")}`);
}
// As process 1 of a container it gets no default handling of signals.
for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, () => process.exit(0));
const { url } = await serveStub(service, { host: "0.0.0.0", port: Number(port) });
process.stdout.write(`stub ${service} listens on ${url}\n`);

function isStubService(name: string): name is StubService {
  return Object.hasOwn(STUB_SERVICES, name);
}
