import { bearer } from "./bearer_fetch.ts";
import { baseUrlIn, type Credentials, credentialsIn, givenCredentials } from "./credentials.ts";
import { door, type Fetch, type Send, unsigned, wire } from "./digest/call.ts";
import { digest } from "./digest/digest_fetch.ts";
import { followRedirects } from "./digest/redirect.ts";
import { retry, type RetryOptions } from "./retry_fetch.ts";
import { assertSecure, createTokenSource, type TokenStore } from "./token_source.ts";

/** A fetch for Atlas, which takes paths too. */
export type AtlasFetch = (input: string | URL | Request, init?: AtlasRequestInit) => Promise<Response>;

/** What fetch takes, and more. */
export interface AtlasRequestInit extends RequestInit {
  /**
   * For this call.
   * @default {that of createAtlasFetch}
   */
  version?: string | undefined;
  /**
   * Such as `"gzip"`, which fetch does not decompress.
   * @default {"json"}
   */
  format?: "json" | "csv" | "gzip" | undefined;
}

/** An Atlas API key, for Digest. */
export interface ApiKey {
  /** The user name. */
  publicKey: string;
  /** The password. */
  privateKey: string;
}

/** An Atlas service account, for OAuth. */
export interface ServiceAccount {
  /** `mdb_sa_id_...` */
  clientId: string;
  /** `mdb_sa_sk_...` */
  clientSecret: string;
  /** Shares the token between processes. */
  tokenStore?: TokenStore | undefined;
}

/** An access token minted elsewhere. */
export interface AccessToken {
  /** It lives an hour, and is not renewed. */
  accessToken: string;
}

/** Options of `createAtlasFetch`. */
export interface AtlasFetchOptions {
  /**
   * Who calls.
   * @default {from the environment, read at the first request}
   */
  credentials?: ApiKey | ServiceAccount | AccessToken | undefined;
  /**
   * An origin, with or without `/api/atlas/v2`. Credentials go nowhere else.
   * @default {"https://cloud.mongodb.com"; with credentials of the environment MONGODB_ATLAS_BASE_URL}
   */
  baseUrl?: string | URL | undefined;
  /**
   * `YYYY-MM-DD`, `YYYY-MM-DD.upcoming` or `"preview"`.
   * @default {"2025-03-12"}
   */
  version?: string | undefined;
  /**
   * `false`: one try.
   * @default {{ limit: 2, maxDelay: 60_000 }}
   */
  retry?: RetryOptions | false | undefined;
  /**
   * Sends the requests.
   * @default {globalThis.fetch, looked up at each request}
   */
  fetch?: Fetch | undefined;
}

const OPTIONS = ["credentials", "baseUrl", "version", "retry", "fetch"];
const DEFAULT_BASE_URL = "https://cloud.mongodb.com";
const API_PATH = "/api/atlas/v2";

/** `createAtlasFetch()`, which reads nothing before the first request. */
export const atlasFetch: AtlasFetch = /* @__PURE__ */ createAtlasFetch();

/**
 * A fetch for the MongoDB Atlas Administration API.
 *
 * `"/groups"` and `"groups"` stand below `/api/atlas/v2`, where it asks for a versioned media type; `"/api/..."` from the
 * origin; a full URL as it is. A string body goes as `application/json`. Your own `Accept` and `Content-Type` win. A refusal
 * is returned: `ensureOk` makes an error of it.
 *
 * @param options
 * @throws {TypeError} for options that cannot be right. Calls reject with one for another origin, an `Authorization` header,
 * an unknown version or format, and an environment without credentials
 * @throws {RangeError} for retry options out of range
 *
 * @example
 * ```ts no-eval
 * import { createAtlasFetch } from "atlas-fetch";
 *
 * const atlasFetch = createAtlasFetch({ credentials: { publicKey: "...", privateKey: "..." } });
 * await atlasFetch("/groups", { version: "2023-01-01" });
 * ```
 */
export function createAtlasFetch(options: AtlasFetchOptions = {}): AtlasFetch {
  assertOptions(options);
  const { credentials, fetch, version: defaultVersion = "2025-03-12" } = options;
  const baseUrl = options.baseUrl === undefined ? undefined : originOf(options.baseUrl, "baseUrl");
  mediaType(defaultVersion);
  const network = wire(fetch);

  function connect({ kind, id, secret, store }: Credentials, origin: string) {
    if (kind === "API key") return { origin, send: digest(id, secret, network) };
    const tokenUrl = `${origin}/api/oauth/token`;
    const token = kind === "access token"
      ? () => Promise.resolve(id)
      : createTokenSource({ clientId: id, clientSecret: secret, tokenUrl, store, fetch });
    return { origin, send: bearer(token, network) };
  }

  function connectFromEnvironment() {
    const env = globalThis.process?.env ?? {}; // a Worker may have none
    const found = credentialsIn(env);
    return connect(found, baseUrl ?? originOf(baseUrlIn(env) || DEFAULT_BASE_URL, "MONGODB_ATLAS_BASE_URL"));
  }

  let atlas = credentials === undefined
    ? undefined
    : connect(givenCredentials(credentials), baseUrl ?? DEFAULT_BASE_URL);
  const connected = () => atlas ??= connectFromEnvironment();
  const retrying = (send: Send) => retry(options.retry === false ? { limit: 0 } : options.retry ?? {}, send);
  const send = followRedirects(retrying((call) => connected().send(call)), retrying(network));

  const enter = door((call) => {
    const { url, headers, body } = unsigned(call);
    const { origin } = connected();
    if (url.origin !== origin) {
      const way = "Use plain fetch, or set baseUrl";
      throw new TypeError(`Cannot send Atlas credentials to ${url.origin}: they are for ${origin}. ${way}`);
    }
    if (!headers.has("accept")) {
      const isVersioned = `${url.pathname}/`.startsWith(`${API_PATH}/`);
      const { version = defaultVersion, format }: AtlasRequestInit = call;
      headers.set("accept", isVersioned ? mediaType(version, format) : "application/json");
    }
    // Atlas refuses text/plain, as fetch has it.
    if (typeof body === "string" && !headers.has("content-type")) headers.set("content-type", "application/json");
    return send(call);
  }, (path) => resolve(path, connected().origin));

  return function atlasFetch(input, init) {
    return enter(input, init);
  };
}

/** A misspelt option could mean another identity or host. */
function assertOptions(options: AtlasFetchOptions): void {
  for (const name of Object.keys(options)) {
    if (!OPTIONS.includes(name)) throw new TypeError(`Cannot use the option ${name}: there are ${OPTIONS.join(", ")}`);
  }
  const { retry } = options;
  const isObject = typeof retry === "object" && retry !== null;
  if (retry === undefined || retry === false || isObject) return;
  throw new TypeError("Cannot use the option retry: it is an object such as { limit: 2 }, or false");
}

/** The origin of a URL without user name, query or fragment, which may end in the path of the API. */
function originOf(baseUrl: string | URL, name: string): string {
  const text = String(baseUrl);
  const url = URL.canParse(text) && new URL(text);
  if (!url || url.href.replace(/\/(api\/atlas\/v2\/?)?$/, "") !== url.origin) {
    throw new TypeError(`Cannot use ${name}: it is not an origin such as ${DEFAULT_BASE_URL}`);
  }
  assertSecure(url);
  return url.origin;
}

function mediaType(version: string, format = "json"): string {
  const isVersion = /^(\d{4}-\d\d-\d\d(\.upcoming)?|preview)$/.test(version);
  const isFormat = /^(json|csv|gzip)$/.test(format);
  if (isVersion && isFormat) return `application/vnd.atlas.${version}+${format}`;
  const asked = JSON.stringify(`${version}+${format}`);
  throw new TypeError(
    `Cannot ask for ${asked}: give a version as YYYY-MM-DD or "preview", a format as json, csv or gzip`,
  );
}

function resolve(path: unknown, origin: string): string {
  const isText = typeof path === "string";
  const isOtherScheme = isText && /^(?!https?:)[a-z][a-z\d+.-]*:/i.test(path);
  if (!isText || isOtherScheme) {
    throw new TypeError(`Cannot call Atlas: give a path such as "/groups", or a URL of ${origin}`);
  }
  if (/^https?:/i.test(path)) return path;
  const isOtherHost = /^[\\/]{2}/.test(path);
  if (isOtherHost) return new URL(origin).protocol + path;
  if (path.startsWith("/api/")) return origin + path;
  return origin + API_PATH + (path.startsWith("/") ? path : `/${path}`);
}
