import { type ApiKey, type AtlasFetchOptions, createAtlasFetch } from "../atlas_fetch.ts";
import { baseUrlIn, credentialsIn } from "../credentials.ts";
import type { Fetch } from "../digest/call.ts";
import { memberOf, textOf } from "../json.ts";
import { failure, type System } from "./system.ts";
import { createTokenCache } from "./token_cache.ts";

/** Who is asked, as whom. */
export interface Atlas {
  credentials: NonNullable<AtlasFetchOptions["credentials"]>;
  baseUrl?: string | undefined;
  fetch: Fetch;
  /** What fills in the placeholders of a path. */
  idOf(name: string): string | undefined;
}

const ID_VARIABLES = new Map([["groupId", "MONGODB_ATLAS_PROJECT_ID"], ["orgId", "MONGODB_ATLAS_ORG_ID"]]);

/** The one that the environment names. */
export function realAtlas(system: System, mayKeep: boolean): Atlas {
  const { env, fetch, useProxy } = system;
  const { kind, id, secret } = credentialsIn(env);
  const tokenStore = mayKeep ? createTokenCache(system, secret) : undefined;
  const pair = kind === "API key"
    ? { publicKey: id, privateKey: secret }
    : { clientId: id, clientSecret: secret, tokenStore };
  try {
    if (hasProxy(env) && typeof useProxy === "function") useProxy();
  } catch {
    throw failure(2, "Cannot use the proxy of HTTPS_PROXY: it is no URL"); // Node's error shows it
  }
  return { ...placeIn(env), credentials: kind === "access token" ? { accessToken: id } : pair, fetch };
}

/** Where Atlas is, and the ids in it. */
export function placeIn(env: System["env"]): Pick<Atlas, "baseUrl" | "idOf"> {
  return { baseUrl: baseUrlIn(env) || undefined, idOf: (name) => env[String(ID_VARIABLES.get(name))] };
}

/** A fake, in this process. */
export async function createFake(): Promise<Fetch & { readonly credentials: ApiKey }> {
  /* c8 ignore next -- tsx gives an import() a branch */
  const { createFakeAtlas } = await import("../testing.ts");
  return createFakeAtlas();
}

/** A fake with the ids of its first project. */
export async function fakeAtlas(): Promise<Atlas> {
  const fetch = await createFake();
  const { credentials } = fetch;
  const groups: unknown = await (await createAtlasFetch({ credentials, fetch })("/groups")).json();
  const project = memberOf(memberOf(groups, "results"), "0");
  return { credentials, fetch, idOf: (name) => textOf(project, name === "groupId" ? "id" : name) };
}

export function hasProxy(env: System["env"]): boolean {
  return Boolean(env.HTTPS_PROXY || env.https_proxy);
}

/** A path in which each `{name}` is replaced by an id, as one segment. */
export function fillIn(path: string, idOf: Atlas["idOf"]): string {
  return path.replace(/\{([^{}]*)\}/g, (placeholder, name: string) => {
    const variable = ID_VARIABLES.get(name);
    const id = variable && idOf(name);
    const advice = variable ? `set ${variable}, or write its value there` : "write its value there";
    if (!id) throw failure(2, `Nothing fills in ${placeholder}: ${advice}`);
    if (/^\.\.?$/.test(id)) throw failure(2, `Cannot fill in ${placeholder}: ${variable} is ${id}, which is no id`);
    return encodeURIComponent(id);
  });
}
