import { readFileSync } from "node:fs";
import { Ajv2019 } from "ajv/dist/2019.js";
import { Ajv2020 } from "ajv/dist/2020.js";
import { ROOT } from "./source-text.ts";

/** The problems of a Compose file, by path; none in a good one. */
export type ComposeCheck = (file: unknown) => readonly string[];

/** As Compose itself understands its formats; those of JSON Schema mean other things. */
const FORMATS = {
  duration: /^(?:\d+(?:\.\d+)?(?:ns|us|µs|ms|s|m|h))+$/,
  ports: /^(?:[\d.]+:)?(?:\d+(?:-\d+)?:)?\d+(?:-\d+)?(?:\/(?:tcp|udp|sctp))?$/,
  expose: /^\d+(?:-\d+)?(?:\/(?:tcp|udp|sctp))?$/,
  subnet_ip_address: /^[\d.]+\/\d{1,2}$/,
};

/** The schema that Docker Compose 2.0.0 checks files with. */
export function composeOf2021(): ComposeCheck {
  return checkWith(new Ajv2019(OPTIONS), withoutIds(readSchema("compose-2.0.json")));
}

/** The newest schema in test/fixtures. */
export function newestCompose(): ComposeCheck {
  return checkWith(new Ajv2020(OPTIONS), readSchema("compose-newest.json") as object);
}

const OPTIONS = { allErrors: true, strict: false, formats: FORMATS };

function checkWith(ajv: Ajv2019 | Ajv2020, schema: object): ComposeCheck {
  const validate = ajv.compile(schema);
  return (file) => {
    if (validate(file)) return [];
    return (validate.errors ?? []).map(({ instancePath, message, params }) => {
      return `${instancePath}: ${message} ${JSON.stringify(params)}`;
    });
  };
}

function readSchema(name: string): unknown {
  return JSON.parse(readFileSync(`${ROOT}test/fixtures/compose-spec/${name}`, "utf8"));
}

/**
 * The older one names its parts by `id`, which JSON Schema has renamed since, and its draft by an address
 * that there never was. Nothing refers to either.
 */
function withoutIds(value: unknown): object {
  const isOwnName = (name: string, child: unknown): boolean =>
    (name === "id" || name === "$schema") && typeof child === "string";
  return JSON.parse(
    JSON.stringify(value, (name, child: unknown) => (isOwnName(name, child) ? undefined : child)),
  ) as object;
}
