import { AtlasError, ensureOk } from "./atlas_error.ts";
import { assertCredential } from "./digest/authorization.ts";
import { door, type Fetch, parseUrl, throwIfAborted, unlessAborted, wire } from "./digest/call.ts";
import { connectionFailure } from "./digest/connection.ts";
import { utf8ByteString } from "./digest/hash.ts";
import { isToken, memberOf, parseJson, readText } from "./json.ts";
import { pause } from "./pause.ts";

/** Gives an access token, a new one if the last ends soon or was refused. */
export type TokenSource = (options?: TokenRequest) => Promise<string>;

/** What a `TokenSource` is told. */
export interface TokenRequest {
  /** The token that got a 401. */
  refused?: string | undefined;
  /** Ends the wait; the mint goes on for others. */
  signal?: AbortSignal | undefined;
}

/** Shares access tokens between processes: a Map, since the value holds its expiry too, Redis, Deno KV. */
export interface TokenStore {
  /** The value of a key, if there is one. */
  get(key: string): Promise<string | undefined> | string | undefined;
  /** It may be forgotten once it has expired. */
  set(key: string, value: string, expiresInSeconds: number): Promise<unknown> | unknown;
}

/** Options of `createTokenSource`. */
export interface TokenSourceOptions {
  /** `mdb_sa_id_...` */
  clientId: string;
  /** `mdb_sa_sk_...` */
  clientSecret: string;
  /**
   * Where tokens are minted.
   * @default {"https://cloud.mongodb.com/api/oauth/token"}
   */
  tokenUrl?: string | URL | undefined;
  /** Shares the token: Atlas allows 50 mints a minute and 100 live tokens. */
  store?: TokenStore | undefined;
  /**
   * Sends the requests.
   * @default {globalThis.fetch, looked up at each request}
   */
  fetch?: Fetch | undefined;
}

interface Token {
  token: string;
  /** In ms since 1970. */
  expiresAt: number;
}

const MAX_MINT_TIME = 10_000; // ms, retries included
const MAX_MINT_RETRIES = 2;
const FIRST_MINT_DELAY = 500; // ms
const RENEWED_BEFORE_END = 60_000; // ms
const STORE_PATIENCE = 2000; // ms

/**
 * The access tokens of a service account, minted by the OAuth client credentials grant (RFC 6749 section 4.4).
 *
 * A token serves until 60 s before its end. All wait for the same mint: at most three tries within 10 s. A store that
 * throws, returns rubbish or is silent for 2 s is passed over.
 *
 * @param options
 * @throws {TypeError} for a credential that cannot be right. The source rejects with an `AtlasError` if the mint is refused or
 * brings no token, with a `TypeError` if the host does not answer
 */
export function createTokenSource(options: TokenSourceOptions): TokenSource {
  const { clientId, clientSecret, store, ...rest }: Partial<TokenSourceOptions> = options ?? {};
  assertCredential("clientId", clientId);
  assertCredential("clientSecret", clientSecret);
  if (!clientId || !clientSecret || clientId.includes(":")) {
    throw new TypeError("Cannot mint tokens: clientId or clientSecret is empty, or the id holds a colon");
  }
  const tokenUrl = parseUrl(String(rest.tokenUrl ?? "https://cloud.mongodb.com/api/oauth/token"));
  assertSecure(tokenUrl);
  const fetch = door(wire(rest.fetch));
  const key = `${tokenUrl.href} ${clientId}`;
  let held: Token | undefined;
  let renewal: { avoids: string | undefined; result: Promise<Token> } | undefined;

  async function renew(refused: string | undefined): Promise<Token> {
    const stored = store && readStored(await patiently(() => store.get(key)));
    if (stored && serves(stored, refused)) return held = stored;
    held = undefined;
    const minted = await mint();
    const { token, expiresAt } = minted;
    if (store && serves(minted)) {
      const value = JSON.stringify({ token, end: expiresAt });
      await patiently(() => store.set(key, value, Math.floor((expiresAt - Date.now()) / 1000)));
    }
    return held = minted;
  }

  /** Tries again whatever method waits: nothing was done yet. */
  async function mint(): Promise<Token> {
    const signal = AbortSignal.timeout(MAX_MINT_TIME);
    for (let retries = 0;; retries++) {
      try {
        if (retries > 0) await pause(Math.random() * FIRST_MINT_DELAY * 2 ** (retries - 1), signal);
        return await unlessAborted(requestToken(signal), signal);
      } catch (cause) {
        const isUnanswered = signal.aborted || connectionFailure(cause) !== undefined;
        const isBusy = cause instanceof AtlasError && [502, 503, 504].includes(cause.status);
        const isLast = signal.aborted || retries === MAX_MINT_RETRIES;
        if ((isUnanswered || isBusy) && !isLast) continue;
        if (!isUnanswered) throw cause;
        throw new TypeError(`Cannot get an access token: ${tokenUrl.host} did not answer`, { cause });
      }
    }
  }

  async function requestToken(signal: AbortSignal): Promise<Token> {
    const DEFAULT_LIFETIME = 3600; // seconds, as Atlas has it
    const MAX_LIFETIME = 1e9; // seconds; more overflows in stores
    const askedAt = Date.now();
    const response = await ensureOk(fetch(tokenUrl.href, {
      method: "POST",
      headers: {
        // Not form-encoded as in RFC 6749 section 2.3.1: Atlas wants `_` as it is.
        authorization: `Basic ${btoa(utf8ByteString(`${clientId}:${clientSecret}`))}`,
        accept: "application/json",
        "content-type": "application/x-www-form-urlencoded",
      },
      body: "grant_type=client_credentials",
      redirect: "manual",
      signal,
    }));
    const { text, error } = await readText(response);
    if (error) throw error;
    const answer = parseJson(text);
    const token = memberOf(answer, "access_token");
    if (!isToken(token)) throw new AtlasError(response, { detail: "The answer holds no usable access token" });
    const seconds = Number(memberOf(answer, "expires_in") ?? DEFAULT_LIFETIME);
    return { token, expiresAt: askedAt + (seconds <= MAX_LIFETIME ? seconds : DEFAULT_LIFETIME) * 1000 };
  }

  return async function accessToken({ refused, signal } = {}) {
    for (;;) {
      throwIfAborted(signal);
      if (held && serves(held, refused)) return held.token;
      renewal ??= { avoids: refused, result: renew(refused).finally(() => renewal = undefined) };
      const { avoids, result } = renewal;
      const { token } = await unlessAborted(result, signal);
      // A renewal from before the refusal may have brought just that token.
      if (token !== refused || avoids === refused) return token;
    }
  };
}

export function assertSecure({ protocol, host, hostname }: URL): void {
  const isLoopback = /^(localhost|.+\.localhost|127\.[\d.]+|\[::1])$/.test(hostname);
  if (protocol === "https:" || (protocol === "http:" && isLoopback)) return;
  throw new TypeError(`Cannot send credentials to ${protocol}//${host}: use https:, since http: is for loopback only`);
}

function serves({ token, expiresAt }: Token, refused?: string): boolean {
  return token !== refused && expiresAt - Date.now() > RENEWED_BEFORE_END;
}

function readStored(value = ""): Token | undefined {
  const { token, end }: { token?: unknown; end?: unknown } = Object(parseJson(value));
  return isToken(token) && typeof end === "number" ? { token, expiresAt: end } : undefined;
}

/** What a store says, unless it fails or takes too long. */
async function patiently<T>(ask: () => T | Promise<T>): Promise<T | undefined> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const silence = new Promise<undefined>((resolve) => timer = setTimeout(() => resolve(undefined), STORE_PATIENCE));
  try {
    return await Promise.race([ask(), silence]);
  } catch {
    return undefined;
  } finally {
    clearTimeout(timer);
  }
}
