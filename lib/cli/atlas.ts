import { createHash, randomUUID } from "node:crypto";
import * as fs from "node:fs";
import { isAbsolute } from "node:path";
import { type AtlasFetchOptions, createAtlasFetch } from "../atlas_fetch.ts";
import { baseUrlIn, credentialsIn } from "../credentials.ts";
import { memberOf, textOf } from "../json.ts";
import type { TokenStore } from "../token_source.ts";
import { failure, type System } from "./system.ts";

const ID_VARIABLES = new Map([["{groupId}", "MONGODB_ATLAS_PROJECT_ID"], ["{orgId}", "MONGODB_ATLAS_ORG_ID"]]);

/** Who is asked, and as whom: as the environment says. */
export function atlasOptions(system: System): AtlasFetchOptions {
  const { env, useProxy } = system;
  const { kind, id, secret } = credentialsIn(env);
  const forms = {
    "access token": { accessToken: id },
    "service account": { clientId: id, clientSecret: secret, tokenStore: tokenCache(system, secret) },
    "API key": { publicKey: id, privateKey: secret },
  };
  try {
    if (hasProxy(env)) useProxy?.();
  } catch {
    throw failure(2, "Cannot use the proxy of HTTPS_PROXY: it is no URL"); // Node's error shows it
  }
  return { credentials: forms[kind], baseUrl: baseUrlIn(env) || undefined };
}

export const hasProxy = (env: System["env"]): boolean => Boolean(env.HTTPS_PROXY || env.https_proxy);

/** A path in which each placeholder is replaced by an id, as one segment. */
export function fillIn(path: string, env: System["env"]): string {
  return path.replace(/\{[^{}]*\}/g, (placeholder) => {
    const variable = ID_VARIABLES.get(placeholder);
    const id = variable && env[variable];
    const advice = variable ? `set ${variable}, or write its value there` : "write its value there";
    if (!id) throw failure(2, `Nothing fills in ${placeholder}: ${advice}`);
    if (/^\.\.?$/.test(id)) throw failure(2, `Cannot fill in ${placeholder}: ${variable} is ${id}, which is no id`);
    return encodeURIComponent(id);
  });
}

/** A fake Atlas, in this process, and the variables of its key. */
export async function createFake(): Promise<Pick<System, "env" | "fetch">> {
  /* c8 ignore next -- tsx gives an import() a branch */
  const { createFakeAtlas } = await import("../testing.ts");
  const fetch = createFakeAtlas();
  const { publicKey, privateKey } = fetch.credentials;
  return { fetch, env: { MONGODB_ATLAS_PUBLIC_API_KEY: publicKey, MONGODB_ATLAS_PRIVATE_API_KEY: privateKey } };
}

/** The machine with a fake for Atlas, and the ids of its first project. */
export async function withFake(system: System): Promise<System> {
  const { env, fetch } = await createFake();
  const groups = await createAtlasFetch({ ...atlasOptions({ ...system, env }), fetch })("/groups");
  const project = memberOf(memberOf(await groups.json(), "results"), "0");
  const ids = { MONGODB_ATLAS_PROJECT_ID: textOf(project, "id"), MONGODB_ATLAS_ORG_ID: textOf(project, "orgId") };
  return { ...system, env: { ...env, ...ids }, fetch };
}

/** Files for the tokens of a service account, that only the user may read. Whatever fails means a mint, and no more. */
function tokenCache(system: System, secret: string): TokenStore | undefined {
  const folder = cacheFolder(system);
  if (!folder || !system.mayKeep) return undefined;
  const fileOf = (key: string) => `${folder}/${createHash("sha256").update(`${key} ${secret}`).digest("hex")}`;
  return {
    get(key) {
      const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = fs.constants; // a link is refused, a pipe not waited for
      const file = fs.openSync(fileOf(key), O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
      try {
        const { mode, uid } = fs.fstatSync(file);
        const isPrivate = system.platform === "win32" || (uid === system.getuid?.() && (mode & 0o077) === 0);
        return isPrivate ? fs.readFileSync(file, "utf8") : undefined;
      } finally {
        fs.closeSync(file);
      }
    },
    // Without a pause, in which a signal could leave half of it.
    set(key, value) {
      const beside = `${folder}/${randomUUID()}`;
      fs.mkdirSync(folder, { recursive: true, mode: 0o700 });
      fs.chmodSync(folder, 0o700); // it may have been there
      try {
        fs.writeFileSync(beside, value, { flag: "wx", mode: 0o600 });
        fs.renameSync(beside, fileOf(key));
      } finally {
        fs.rmSync(beside, { force: true });
      }
    },
  };
}

/** Where the platform has its caches; undefined without a home. */
function cacheFolder({ platform, env }: System): string | undefined {
  const { XDG_CACHE_HOME = "", HOME = "", LOCALAPPDATA = "" } = env;
  const usual = HOME && `${HOME}/${platform === "darwin" ? "Library/Caches" : ".cache"}`;
  const parent = (platform === "win32" ? [LOCALAPPDATA] : [XDG_CACHE_HOME, usual]).find(isAbsolute);
  return parent && `${parent}/atlas-fetch`;
}
