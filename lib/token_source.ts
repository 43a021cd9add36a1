import { AtlasError, ensureOk, memberOf, parseJson, readText } from "./atlas_error.ts";
import { assertCredential } from "./digest/authorization.ts";
import { type Fetch, isToken, parseUrl, unlessAborted } from "./digest/call.ts";
import { utf8ByteString } from "./digest/hash.ts";
import { refusal } from "./digest/refusal.ts";

/** Gives an access token: the one it has or, where that ends soon or was refused, a new one. */
export type TokenSource = (
  options?: { refused?: string | undefined /* the token that got a 401 */; signal?: AbortSignal | undefined },
) => Promise<string>;

/** Where processes share an access token. A Map works (the value holds its end too); so do Redis, Deno KV, a file. */
export interface TokenStore {
  /** What was set last for the key, if it is still there. */
  get(key: string): Promise<string | undefined> | string | undefined;
  /** Keeps a value, for at most this many whole seconds. */
  set(key: string, value: string, expiresInSeconds: number): Promise<unknown> | unknown;
}

interface Token {
  token: string;
  /** When it ends, in ms since 1970. */
  end: number;
}

const MINT_PATIENCE = 30_000; // ms; all calls wait for it

/**
 * The access tokens of a service account, minted by the OAuth client credentials grant (RFC 6749 section 4.4).
 *
 * A token serves until 60 s before its end; whoever asks meanwhile waits for the same mint. A failed mint is not
 * remembered, and one that takes 30 s is given up. A store that throws, returns rubbish or is silent for 2 s is passed over.
 *
 * @param options.clientId `mdb_sa_id_...`
 * @param options.clientSecret `mdb_sa_sk_...`; sent to the token URL only
 * @param options.tokenUrl Where tokens are minted
 * @default {"https://cloud.mongodb.com/api/oauth/token"}
 * @param options.store Shares the token between processes: Atlas allows 50 mints a minute and 100 live tokens
 * @param options.fetch What sends the requests
 * @default {globalThis.fetch, looked up at each request}
 * @throws {TypeError} if a credential is empty, holds a line break or NUL, or the id holds `:`. The source rejects with
 * an `AtlasError` if the mint is refused, redirected or brings no token
 *
 * @example
 * ```ts no-eval
 * import { createTokenSource } from "atlas-fetch";
 *
 * const token = createTokenSource({ clientId: "mdb_sa_id_...", clientSecret: "mdb_sa_sk_..." });
 * console.log((await token()).length);
 * ```
 */
export function createTokenSource(options: {
  clientId: string;
  clientSecret: string;
  tokenUrl?: string | URL | undefined;
  store?: TokenStore | undefined;
  fetch?: Fetch | undefined;
}): TokenSource {
  const { clientId, clientSecret, store, fetch } = options;
  assertCredential("clientId", clientId);
  assertCredential("clientSecret", clientSecret);
  if (!clientId || !clientSecret || clientId.includes(":")) {
    throw new TypeError("Cannot mint tokens: clientId or clientSecret is empty, or the id holds a colon");
  }
  const tokenUrl = parseUrl(String(options.tokenUrl ?? "https://cloud.mongodb.com/api/oauth/token"));
  assertSecure(tokenUrl);
  const key = `${tokenUrl.href} ${clientId}`;
  let held: Token | undefined;
  let renewal: { avoids: string | undefined; result: Promise<Token> } | undefined;

  async function renew(refused: string | undefined): Promise<Token> {
    const stored = store && readToken(await patiently(() => store.get(key)));
    if (stored && serves(stored, refused)) return held = stored;
    held = undefined;
    const signal = AbortSignal.timeout(MINT_PATIENCE);
    const minted = await unlessAborted(mint(signal), signal).catch((cause: unknown) => {
      if (cause instanceof AtlasError) throw cause;
      throw refusal(`Cannot get an access token: ${tokenUrl.host} did not answer`, { cause });
    });
    const seconds = Math.floor((minted.end - Date.now()) / 1000);
    if (store && serves(minted)) await patiently(() => store.set(key, JSON.stringify(minted), seconds));
    return held = minted;
  }

  async function mint(signal: AbortSignal): Promise<Token> {
    const DEFAULT_LIFETIME = 3600; // seconds, as Atlas says
    const LONGEST_LIFETIME = 1e9; // seconds; what is longer is not meant, and overflows in stores
    const asked = Date.now();
    const response = await ensureOk((fetch ?? globalThis.fetch)(tokenUrl.href, {
      method: "POST",
      headers: {
        // RFC 6749 section 2.3.1 would have the id form-encoded; Atlas wants `_` as it stands.
        authorization: `Basic ${btoa(utf8ByteString(`${clientId}:${clientSecret}`))}`,
        accept: "application/json",
        "content-type": "application/x-www-form-urlencoded",
      },
      body: "grant_type=client_credentials",
      redirect: "manual",
      signal,
    }));
    const answer = parseJson(await readText(response));
    const token = memberOf(answer, "access_token");
    if (!isToken(token)) throw new AtlasError(response, { detail: "The answer holds no usable access token" });
    const seconds = Number(memberOf(answer, "expires_in") ?? DEFAULT_LIFETIME);
    return { token, end: asked + (seconds <= LONGEST_LIFETIME ? seconds : DEFAULT_LIFETIME) * 1000 };
  }

  return async ({ refused, signal } = {}) => {
    for (;;) {
      signal?.throwIfAborted();
      if (held && serves(held, refused)) return held.token;
      renewal ??= { avoids: refused, result: renew(refused).finally(() => renewal = undefined) };
      const { avoids, result } = renewal;
      const { token } = await unlessAborted(result, signal);
      // A renewal that began before the refusal may have brought just that token.
      if (token !== refused || avoids === refused) return token;
    }
  };
}

/**
 * Refuses to send credentials where others can read them.
 *
 * @throws {TypeError} unless the URL, which names no user, is `https:`, or `http:` of this machine
 */
export function assertSecure({ href, protocol, host }: URL): void {
  if (/^(https|http:\/\/(localhost|[^/:]+\.localhost|127\.[\d.]+|\[::1]))[:/]/.test(href)) return;
  throw new TypeError(`Cannot send credentials to ${protocol}//${host}: use https:, since http: is for loopback only`);
}

/** Whether a token may be handed out: not refused, and not about to end. */
function serves({ token, end }: Token, refused?: string): boolean {
  const RENEWED_BEFORE_END = 60_000; // ms
  return token !== refused && end - Date.now() > RENEWED_BEFORE_END;
}

function readToken(value: string | undefined): Token | undefined {
  const { token, end }: { token?: unknown; end?: unknown } = Object(parseJson(value));
  return isToken(token) && typeof end === "number" ? { token, end } : undefined;
}

/** What a store answers, or undefined if it fails or takes too long. */
async function patiently<T>(ask: () => T | Promise<T>): Promise<T | undefined> {
  const STORE_PATIENCE = 2000; // ms
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
