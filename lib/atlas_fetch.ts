import { createBearerSend } from "./bearer_fetch.ts";
import { assertCredentials } from "./digest/authorization.ts";
import { assertUnsigned, type Fetch, type Send, toCall } from "./digest/call.ts";
import { createDigestSend } from "./digest/digest_fetch.ts";
import { refusal } from "./digest/refusal.ts";
import { createRetryLayer, type RetryOptions } from "./retry_fetch.ts";
import { assertSecure, createTokenSource, type TokenStore } from "./token_source.ts";

/** A fetch for Atlas: it takes paths below `/api/atlas/v2` too, and a version and a format for one call. */
export type AtlasFetch = (input: string | URL | Request, init?: AtlasRequestInit) => Promise<Response>;

/** What fetch takes, and what Atlas takes beyond it. */
export interface AtlasRequestInit extends RequestInit {
  /**
   * The version of the resource for this call: `"2024-08-05"`, `"preview"`.
   * @default {the version of createAtlasFetch}
   */
  version?: string | undefined;
  /**
   * The form of the answer: `"gzip"` for log downloads, which fetch does not inflate.
   * @default {"json"}
   */
  format?: "json" | "csv" | "gzip" | undefined;
}

/** An Atlas API key, for Digest. */
export interface ApiKey {
  /** Eight letters; the user name. */
  publicKey: string;
  /** A UUID; the password. */
  privateKey: string;
}

/** An Atlas service account, for OAuth. */
export interface ServiceAccount {
  /** `mdb_sa_id_...` */
  clientId: string;
  /** `mdb_sa_sk_...` */
  clientSecret: string;
  /** Shares the access token between processes. */
  tokenStore?: TokenStore | undefined;
}

/** Who calls, where, and how. */
export interface AtlasFetchOptions {
  /**
   * Who calls.
   * @default {from the environment, read at the first request}
   */
  credentials?: ApiKey | ServiceAccount | undefined;
  /**
   * Where Atlas is: an origin, or that with `/api/atlas/v2`. Credentials go nowhere else.
   * @default {MONGODB_ATLAS_BASE_URL with credentials of the environment, else "https://cloud.mongodb.com"}
   */
  baseUrl?: string | URL | undefined;
  /**
   * Of the media types, as `YYYY-MM-DD` or `"preview"`: the newest version not after the date answers.
   * @default {"2025-03-12"}
   */
  version?: string | undefined;
  /**
   * How often and how long to wait; `false` for one try.
   * @default {{ limit: 2, maxDelay: 60_000 }}
   */
  retry?: RetryOptions | false | undefined;
  /**
   * What sends the requests.
   * @default {globalThis.fetch, looked up at each request}
   */
  fetch?: Fetch | undefined;
}

/** The pairs of variables that credentials are read from. The first complete one wins. */
export const CREDENTIAL_VARIABLES = [
  // The Atlas CLI's
  ["MONGODB_ATLAS_CLIENT_ID", "MONGODB_ATLAS_CLIENT_SECRET"],
  ["MONGODB_ATLAS_PUBLIC_API_KEY", "MONGODB_ATLAS_PRIVATE_API_KEY"],
  // The Go SDK's and Terraform's
  ["MONGODB_ATLAS_PUBLIC_KEY", "MONGODB_ATLAS_PRIVATE_KEY"],
  // MongoDB's tutorial's
  ["ATLAS_USER", "ATLAS_USER_KEY"],
] as const;

const DEFAULT_BASE_URL = "https://cloud.mongodb.com";
const DEFAULT_VERSION = "2025-03-12"; // serves nearly all operations: the newest not after the date answers
const API_PATH = "/api/atlas/v2";

/**
 * A fetch for the MongoDB Atlas Administration API, with the credentials of the environment.
 *
 * `createAtlasFetch()` with its defaults; nothing is read before the first request.
 *
 * @example
 * ```ts no-eval
 * import { atlasFetch } from "atlas-fetch";
 *
 * const response = await atlasFetch("/");
 * console.log(await response.json());
 * ```
 */
export const atlasFetch: AtlasFetch = createAtlasFetch();

/**
 * Makes a fetch for the MongoDB Atlas Administration API.
 *
 * `"/groups"` and `"groups"` stand below `/api/atlas/v2`, `"/api/..."` from the origin, a full URL as it is. Below
 * `/api/atlas/v2` it asks for a versioned media type, unless you set `Accept`; a string body goes as
 * `application/json`, unless you set `Content-Type`. What the server answers is returned, whatever its status:
 * `ensureOk` makes errors of it.
 *
 * @param options.credentials An API key or a service account
 * @default {from the environment, read at the first request}
 * @param options.baseUrl Where Atlas is
 * @default {MONGODB_ATLAS_BASE_URL with credentials of the environment, else "https://cloud.mongodb.com"}
 * @param options.version Of the media types, as `YYYY-MM-DD` or `"preview"`
 * @default {"2025-03-12"}
 * @param options.retry How often and how long to wait; `false` for one try
 * @default {{ limit: 2, maxDelay: 60_000 }}
 * @param options.fetch What sends the requests
 * @default {globalThis.fetch, looked up at each request}
 * @throws {TypeError} for credentials or a base URL that cannot be right; as a rejection of the call for a URL of
 * another origin, an `Authorization` header, or an environment without credentials: all before anything is sent
 * @throws {RangeError} for retry options out of range
 *
 * @example
 * ```ts no-eval
 * import { createAtlasFetch } from "atlas-fetch";
 *
 * const atlasFetch = createAtlasFetch({ credentials: { publicKey: "...", privateKey: "..." } });
 * const response = await atlasFetch("/groups", { version: "2023-01-01" });
 * ```
 */
export function createAtlasFetch(options: AtlasFetchOptions = {}): AtlasFetch {
  const { credentials, fetch, retry = {} } = options;
  const layer = createRetryLayer(retry === false ? { limit: 0 } : retry);
  const baseUrl = options.baseUrl === undefined ? undefined : originOf(options.baseUrl, "baseUrl");
  const defaultVersion = checkedVersion(options.version ?? DEFAULT_VERSION);

  function connect(credentials: ApiKey | ServiceAccount, origin: string): { origin: string; send: Send } {
    return { origin, send: layer(authenticating(credentials, origin, fetch)) };
  }

  function connectFromEnvironment(): { origin: string; send: Send } {
    const found = readEnvironment();
    const origin = baseUrl ?? originOf(found.baseUrl ?? DEFAULT_BASE_URL, "MONGODB_ATLAS_BASE_URL");
    return connect(found.credentials, origin);
  }

  let atlas = credentials === undefined ? undefined : connect(credentials, baseUrl ?? DEFAULT_BASE_URL);

  return async (input, init) => {
    const { origin, send } = atlas ??= connectFromEnvironment();
    const { version = defaultVersion, format = "json" } = init ?? {};
    const call = assertUnsigned(await toCall(typeof input === "string" ? resolve(input, origin) : input, init));
    if (call.url.origin !== origin) {
      throw refusal(
        `Cannot send Atlas credentials to ${call.url.origin}: they are for ${origin}. Use plain fetch, or set baseUrl`,
      );
    }
    const { headers, body } = call.init;
    if (!headers.has("accept")) {
      const versioned = `${call.url.pathname}/`.startsWith(`${API_PATH}/`);
      const type = versioned ? `vnd.atlas.${checkedVersion(version)}+${checkedFormat(format)}` : "json";
      headers.set("accept", `application/${type}`);
    }
    // fetch would say text/plain, which Atlas refuses.
    if (typeof body === "string" && !headers.has("content-type")) headers.set("content-type", "application/json");
    return await send(call);
  };
}

/** Authenticates calls to an origin: an API key by Digest, a service account by access tokens. */
function authenticating(credentials: ApiKey | ServiceAccount, origin: string, fetch: Fetch | undefined): Send {
  if (typeof credentials !== "object" || credentials === null) {
    throw new TypeError("Cannot authenticate: credentials is not an object");
  }
  if ("clientId" in credentials) {
    const { clientId, clientSecret, tokenStore: store } = credentials;
    assertPresent({ clientId, clientSecret });
    const token = createTokenSource({ clientId, clientSecret, tokenUrl: `${origin}/api/oauth/token`, store, fetch });
    return createBearerSend({ token, fetch });
  }
  const { publicKey, privateKey } = credentials;
  assertPresent({ publicKey, privateKey });
  if (publicKey.startsWith("mdb_sa_")) {
    throw new TypeError("Cannot use a service account's id as publicKey: give { clientId, clientSecret }");
  }
  return createDigestSend({ username: publicKey, password: privateKey, fetch });
}

function assertPresent(credentials: Readonly<Record<string, string>>): void {
  for (const [name, value] of Object.entries(credentials)) {
    if (!value) {
      throw new TypeError(
        `Cannot authenticate: ${name} is empty. Give { publicKey, privateKey } or { clientId, clientSecret }`,
      );
    }
  }
  assertCredentials(credentials);
}

/** The credentials of the environment, and the base URL that goes with them. */
function readEnvironment(): { credentials: ApiKey | ServiceAccount; baseUrl: string | undefined } {
  const env = globalThis.process?.env ?? {}; // a Worker may have none
  const pairs = CREDENTIAL_VARIABLES.map(([idName, secretName]) => {
    return { idName, secretName, id: env[idName] ?? "", secret: env[secretName] ?? "" };
  });
  const complete = pairs.find(({ id, secret }) => id && secret);
  const found = complete ?? pairs.find(({ id, secret }) => id || secret);
  if (!found) {
    const names = CREDENTIAL_VARIABLES.map((pair) => pair.join(" and "));
    throw new TypeError(`Cannot find Atlas credentials: set ${names.join(", or ")}, or give the option credentials`);
  }
  const { idName, secretName, id, secret } = found;
  const isAccount = idName === "MONGODB_ATLAS_CLIENT_ID";
  if (!isAccount && id.startsWith("mdb_sa_")) {
    throw new TypeError(
      `Cannot use a service account as ${idName}: set MONGODB_ATLAS_CLIENT_ID and MONGODB_ATLAS_CLIENT_SECRET`,
    );
  }
  if (!complete) {
    const [missing, present] = id ? [secretName, idName] : [idName, secretName];
    throw new TypeError(`Cannot find Atlas credentials: ${present} is set, but ${missing} is not`);
  }
  assertCredentials({ [idName]: id, [secretName]: secret });
  return {
    credentials: isAccount ? { clientId: id, clientSecret: secret } : { publicKey: id, privateKey: secret },
    baseUrl: env.MONGODB_ATLAS_BASE_URL || undefined,
  };
}

/** The origin of a base URL, which may end in the path of the API. */
function originOf(baseUrl: string | URL, name: string): string {
  const url = URL.canParse(String(baseUrl)) ? new URL(String(baseUrl)) : undefined;
  if (
    !url || !/^(\/api\/atlas\/v2)?\/?$/.test(url.pathname) || url.search || url.hash || url.username || url.password
  ) {
    throw new TypeError(`Cannot use ${name}: it is not an origin such as ${DEFAULT_BASE_URL}`);
  }
  assertSecure(url.href);
  return url.origin;
}

function checkedVersion(version: string): string {
  if (/^(\d{4}-\d\d-\d\d|[a-z]+)$/.test(version)) return version;
  throw refusal(`Cannot ask for version ${JSON.stringify(version)}: give it as YYYY-MM-DD or "preview"`);
}

function checkedFormat(format: string): string {
  if (/^(json|csv|gzip)$/.test(format)) return format;
  throw refusal(`Cannot ask for format ${JSON.stringify(format)}: give "json", "csv" or "gzip"`);
}

/** The URL of a path: below the API's, from the origin if it starts with `/api/`, or a full URL as it is. */
function resolve(input: string, origin: string): string {
  if (/^[a-z][a-z\d+.-]*:[\\/]{2}/i.test(input)) return input;
  if (/^[\\/]{2}/.test(input)) return new URL(origin).protocol + input; // another host, to be refused
  return input.startsWith("/api/") ? origin + input : `${origin}${API_PATH}/${input.replace(/^\//, "")}`;
}
