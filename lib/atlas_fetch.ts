import { memberOf } from "./atlas_error.ts";
import { createBearerFetch } from "./bearer_fetch.ts";
import { assertCredential } from "./digest/authorization.ts";
import { type Fetch, layer, toCall, transmit } from "./digest/call.ts";
import { createDigestFetch } from "./digest/digest_fetch.ts";
import { refusal } from "./digest/refusal.ts";
import { createRetryFetch, type RetryOptions } from "./retry_fetch.ts";
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
 * @throws {TypeError} for credentials, a base URL or a version that cannot be right; as a rejection of the call for a
 * URL of another origin, an `Authorization` header, a version or format that there is not, or an environment without
 * credentials: all before anything is sent
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
  const { credentials, retry, fetch } = options;
  const baseUrl = options.baseUrl === undefined ? undefined : originOf(options.baseUrl, "baseUrl");
  const defaultVersion = options.version ?? DEFAULT_VERSION;
  mediaType(defaultVersion);

  function connectFromEnvironment(): Atlas {
    const env = globalThis.process?.env ?? {}; // a Worker may have none
    const [idName, secretName] = variablesIn(env);
    const origin = baseUrl ?? originOf(env.MONGODB_ATLAS_BASE_URL || DEFAULT_BASE_URL, "MONGODB_ATLAS_BASE_URL");
    return authenticating(env, idName, secretName, origin, fetch);
  }

  function connectFromOptions(credentials: ApiKey | ServiceAccount): Atlas {
    const origin = baseUrl ?? DEFAULT_BASE_URL;
    return isAccount(credentials)
      ? authenticating(credentials, "clientId", "clientSecret", origin, fetch, credentials.tokenStore)
      : authenticating(credentials, "publicKey", "privateKey", origin, fetch);
  }

  let atlas = credentials === undefined ? undefined : connectFromOptions(credentials);
  const connected = () => atlas ??= connectFromEnvironment();
  const send = createRetryFetch({
    ...(retry === false ? { limit: 0 } : retry),
    fetch: layer(false, (call) => transmit(connected().fetch, call)),
  });

  return async (input, init) => {
    const { origin } = connected();
    const { version = defaultVersion, format } = init ?? {};
    const call = await toCall(typeof input === "string" ? resolve(input, origin) : input, init);
    const { url, headers, body } = call;
    if (url.origin !== origin) {
      throw refusal(
        `Cannot send Atlas credentials to ${url.origin}: they are for ${origin}. Use plain fetch, or set baseUrl`,
      );
    }
    if (!headers.has("accept")) {
      const isVersioned = `${url.pathname}/`.startsWith(`${API_PATH}/`);
      headers.set("accept", isVersioned ? mediaType(version, format) : "application/json");
    }
    // fetch would say text/plain, which Atlas refuses.
    if (typeof body === "string" && !headers.has("content-type")) headers.set("content-type", "application/json");
    return await transmit(send, call);
  };
}

/** Where the calls go, and what signs them. */
interface Atlas {
  origin: string;
  fetch: Fetch;
}

function isAccount(credentials: ApiKey | ServiceAccount): credentials is ServiceAccount {
  return "clientId" in Object(credentials);
}

/** Authenticates calls to an origin, with an id and a secret by their names in the options or the environment. */
function authenticating(
  source: object,
  idName: string,
  secretName: string,
  origin: string,
  fetch: Fetch | undefined,
  store?: TokenStore,
): Atlas {
  const isClient = /client/i.test(idName); // else an API key
  const [id = "", secret = ""] = [idName, secretName].map((name) => {
    const value = memberOf(source, name);
    if (!isClient && /^mdb_sa_/.test(String(value))) {
      throw new TypeError(
        `Cannot use a service account as ${name}: give { clientId, clientSecret }, or set ` +
          CREDENTIAL_VARIABLES[0].join(" and "),
      );
    }
    if (!value) {
      throw new TypeError(`Cannot find Atlas credentials: ${name} is missing. Give both ${idName} and ${secretName}`);
    }
    assertCredential(name, value);
    return value;
  });
  if (!isClient) return { origin, fetch: createDigestFetch({ username: id, password: secret, fetch }) };
  const tokenUrl = `${origin}/api/oauth/token`;
  const token = createTokenSource({ clientId: id, clientSecret: secret, tokenUrl, store, fetch });
  return { origin, fetch: createBearerFetch({ token, fetch }) };
}

/** The first pair of variables that is complete or, if none is, the first half. */
function variablesIn(env: Readonly<Record<string, string | undefined>>): readonly [string, string] {
  const found = CREDENTIAL_VARIABLES.find((pair) => pair.every((name) => env[name])) ??
    CREDENTIAL_VARIABLES.find((pair) => pair.some((name) => env[name]));
  if (found) return found;
  const names = CREDENTIAL_VARIABLES.map((pair) => pair.join(" and ")).join(", or ");
  throw new TypeError(`Cannot find Atlas credentials: set ${names}, or give the option credentials`);
}

/** The origin of a base URL, which may end in the path of the API. */
function originOf(baseUrl: string | URL, name: string): string {
  const text = String(baseUrl);
  const url = URL.canParse(text) && new URL(text);
  // Nothing else may be in it: no user name, query or fragment either.
  if (!url || url.href.replace(/\/(api\/atlas\/v2\/?)?$/, "") !== url.origin) {
    throw new TypeError(`Cannot use ${name}: it is not an origin such as ${DEFAULT_BASE_URL}`);
  }
  assertSecure(url);
  return url.origin;
}

function mediaType(version: string, format: string = "json"): string {
  const type = `${version}+${format}`;
  if (/^(\d{4}-\d\d-\d\d|[a-z]+)\+(json|csv|gzip)$/.test(type)) return `application/vnd.atlas.${type}`;
  throw refusal(
    `Cannot ask for ${JSON.stringify(type)}: give a version as YYYY-MM-DD or "preview", a format as json, csv or gzip`,
  );
}

/** The URL of a path: below the API's, from the origin if it starts with `/api/`, or a full URL as it is. */
function resolve(input: string, origin: string): string {
  const full = /^([a-z][a-z\d+.-]*:)?[\\/]{2}/i.exec(input);
  if (full) return full[1] ? input : new URL(origin).protocol + input; // the latter to be refused: another host
  return input.startsWith("/api/") ? origin + input : `${origin}${API_PATH}/${input.replace(/^\//, "")}`;
}
