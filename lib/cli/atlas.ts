import { listOf, textOf } from "../atlas_error.ts";
import { type AtlasFetchOptions, createAtlasFetch, CREDENTIAL_VARIABLES } from "../atlas_fetch.ts";
import type { Fetch } from "../digest/call.ts";
import { failure, type System } from "./system.ts";
import { createTokenCache } from "./token_cache.ts";

/** Who is asked, as whom, and the ids that paths are filled in with. */
export interface Atlas {
  credentials: NonNullable<AtlasFetchOptions["credentials"]>;
  baseUrl: string | undefined;
  fetch: Fetch;
  ids: Readonly<Record<string, string | undefined>>;
}

/** The one that the environment names. */
export function realAtlas(system: System, mayKeep: boolean): Atlas {
  const { env, fetch, useProxy } = system;
  const names = variablesIn(env);
  if (!names) throw failure(2, `Cannot find Atlas credentials: ${missingIn(env)}`);
  const [id = "", secret = ""] = names.map((name) => env[name]);
  const tokenStore = mayKeep ? createTokenCache(system, secret) : undefined;
  const credentials = names.length === 1
    ? { accessToken: id }
    : names.join().includes("CLIENT")
    ? { clientId: id, clientSecret: secret, tokenStore }
    : { publicKey: id, privateKey: secret };
  try {
    if (hasProxy(env)) useProxy?.();
  } catch {
    throw failure(2, "Cannot use the proxy of HTTPS_PROXY: it is no URL"); // Node's error shows it
  }
  return { credentials, baseUrl: baseUrlIn(env), fetch, ids: idsIn(env) };
}

/** One of its own, in this process, with the ids of its first project. */
export async function fakeAtlas(): Promise<Atlas> {
  const { createFakeAtlas } = await import("../testing.ts");
  const fetch = createFakeAtlas();
  const { credentials } = fetch;
  const groups: unknown = await (await createAtlasFetch({ credentials, fetch })("/groups")).json();
  const [project] = listOf(groups, "results") ?? [];
  return {
    credentials,
    baseUrl: undefined,
    fetch,
    ids: { groupId: textOf(project, "id"), orgId: textOf(project, "orgId") },
  };
}

/** The names of the first complete set of credentials. */
export function variablesIn(env: System["env"]): readonly string[] | undefined {
  return CREDENTIAL_VARIABLES.find((names: readonly string[]) => names.every((name) => env[name]));
}

/** What half a pair lacks, or all that would do. */
function missingIn(env: System["env"]): string {
  const half = CREDENTIAL_VARIABLES.find((names: readonly string[]) => names.some((name) => env[name]));
  if (half) return `${half.find((name) => !env[name])} is missing. Set both ${half.join(" and ")}`;
  const all = CREDENTIAL_VARIABLES.map((names) => names.join(" and ")).join(", or ");
  return `set ${all}. To try it without, add --fake`;
}

export const hasProxy = (env: System["env"]): boolean => Boolean(env.HTTPS_PROXY || env.https_proxy);

export const baseUrlIn = (env: System["env"]): string | undefined => env.MONGODB_ATLAS_BASE_URL || undefined;

export function idsIn(env: System["env"]): Atlas["ids"] {
  return { groupId: env.MONGODB_ATLAS_PROJECT_ID, orgId: env.MONGODB_ATLAS_ORG_ID };
}

/** A path in which each `{name}` is replaced by an id, as one segment. */
export function fillIn(path: string, ids: Atlas["ids"]): string {
  const variables = new Map([["groupId", "MONGODB_ATLAS_PROJECT_ID"], ["orgId", "MONGODB_ATLAS_ORG_ID"]]);
  return path.replace(/\{([^{}]*)\}/g, (placeholder, name: string) => {
    const variable = variables.get(name);
    const id = ids[name];
    const advice = [variable && `set ${variable}`, "write its value in its place"].filter(Boolean).join(", or ");
    if (!id) throw failure(2, `Nothing fills in ${placeholder}: ${advice}`);
    if (/^\.\.?$/.test(id)) throw failure(2, `Cannot fill in ${placeholder}: ${variable} is ${id}, which is no id`);
    return encodeURIComponent(id);
  });
}
