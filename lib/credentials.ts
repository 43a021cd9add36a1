import { assertCredential } from "./digest/authorization.ts";
import { memberOf } from "./json.ts";
import type { TokenStore } from "./token_source.ts";

export interface Credentials {
  kind: "access token" | "service account" | "API key";
  /** Or the token. */
  id: string;
  secret: string;
  store?: TokenStore | undefined;
}

type Environment = Readonly<Record<string, string | undefined>>;

/** The first complete set counts. */
export const CREDENTIAL_VARIABLES: readonly (readonly string[])[] = [
  ["MONGODB_ATLAS_ACCESS_TOKEN"],
  ["MONGODB_ATLAS_CLIENT_ID", "MONGODB_ATLAS_CLIENT_SECRET"],
  ["MONGODB_ATLAS_PUBLIC_API_KEY", "MONGODB_ATLAS_PRIVATE_API_KEY"],
  ["MONGODB_ATLAS_PUBLIC_KEY", "MONGODB_ATLAS_PRIVATE_KEY"],
  ["ATLAS_USER", "ATLAS_USER_KEY"],
];

const API_KEY_OPTIONS = ["publicKey", "privateKey"];
const CREDENTIAL_OPTIONS = [["accessToken"], ["clientId", "clientSecret"], API_KEY_OPTIONS];

export function givenCredentials(given: object): Credentials {
  const isGiven = (name: string) => memberOf(given, name) !== undefined;
  const names = CREDENTIAL_OPTIONS.find((names) => names.some(isGiven)) ?? API_KEY_OPTIONS;
  return { ...read(given, names), store: Object(given).tokenStore };
}

/** If there are none, what Deno throws without --allow-env goes first. */
export function credentialsIn(env: Environment): Credentials {
  const denials = new Map<string, unknown>();
  const isSet = (name: string) => {
    try {
      return Boolean(env[name]);
    } catch (denial) {
      denials.set(name, denial);
      return false;
    }
  };
  const complete = CREDENTIAL_VARIABLES.find((names) => names.every(isSet));
  const names = complete ?? CREDENTIAL_VARIABLES.find((names) => names.some(isSet));
  const denied = names?.find((name) => denials.has(name)) ?? [...denials.keys()][0];
  if (!complete && denied !== undefined) throw denials.get(denied);
  if (names) return read(env, names);
  const sets = CREDENTIAL_VARIABLES.map((names) => names.join(" and ")).join(", or ");
  throw new TypeError(`Cannot find Atlas credentials: set ${sets}, or give the option credentials`);
}

/** Not guessed where Deno denies it. */
export function baseUrlIn(env: Environment): string | undefined {
  try {
    return env.MONGODB_ATLAS_BASE_URL;
  } catch (cause) {
    const way = "run Deno with --allow-env=MONGODB_ATLAS_BASE_URL, or give the option baseUrl";
    throw new TypeError(`Cannot read MONGODB_ATLAS_BASE_URL: ${way}`, { cause });
  }
}

function read(source: object, names: readonly string[]): Credentials {
  const isServiceAccount = names.some((name) => /client/i.test(name));
  const [id = "", secret = ""] = names.map((name) => {
    const value = memberOf(source, name);
    if (!isServiceAccount && /^mdb_sa_/.test(String(value))) {
      const variables = "MONGODB_ATLAS_CLIENT_ID and MONGODB_ATLAS_CLIENT_SECRET";
      throw new TypeError(
        `Cannot use a service account as ${name}: give { clientId, clientSecret }, or set ${variables}`,
      );
    }
    if (!value) {
      const both = names.length > 1 ? `. Give both ${names.join(" and ")}` : "";
      throw new TypeError(`Cannot find Atlas credentials: ${name} is missing${both}`);
    }
    assertCredential(name, value);
    return value;
  });
  const kind = names.length > 1 ? "API key" : "access token";
  return { kind: isServiceAccount ? "service account" : kind, id, secret };
}
