import { randomUUID } from "node:crypto";
import { assertCredential, createSigner, type Signer } from "./authorization.ts";
import { type Call, copy, discard, type Fetch, isSafe, isStream, layer, parseUrl, transmit } from "./call.ts";
import { type DigestChallenge, findDigestChallenge, parseChallenges } from "./challenge.ts";
import { fromHeader, utf8Text } from "./hash.ts";
import { refusal } from "./refusal.ts";

/** A challenge being answered. */
interface Session {
  challenge: DigestChallenge;
  /** Shared with every other answer to the same nonce and opaque. */
  used: Series;
  signer: Signer;
}

interface Series {
  count: number;
}

/** What is remembered of an origin. */
interface State {
  /** Signs the next request at once: the server has accepted it. */
  kept?: Session | undefined;
  /** By nonce and opaque, the pair handed out last at the end. */
  series: Map<string, Series>;
}

/**
 * A fetch that answers Digest challenges (RFC 7616, 2617 and 2069) of the origin of the URL it is given.
 *
 * The first call to an origin takes two round trips; then the nonce is kept and each call is signed at once. A 401
 * that cannot be answered is returned as it came. What differs from fetch: redirects are followed here, so that each
 * is signed for its own URI, and to another origin without credentials; a body over 16 KiB waits until a bodyless GET
 * has brought a challenge, and a stream always does, since it can be sent only once. Of a Request it takes URL, method,
 * headers, body (read into memory), signal and redirect: give all else, such as a `dispatcher`, as init.
 *
 * @param options.username Sent as UTF-8
 * @param options.password Sent only hashed
 * @param options.fetch What sends the requests
 * @default {globalThis.fetch, looked up at each request}
 * @throws {TypeError} if the user name or the password holds CR, LF or NUL. The calls reject with a `TypeError` for
 * a caller's `Authorization` header, an `integrity`, a GET with a body, and a stream where the server only takes
 * `auth-int` or answers with a redirect that keeps the body; for the rest, as fetch does
 *
 * @example
 * ```ts no-eval
 * import { createDigestFetch } from "atlas-fetch/digest";
 *
 * const fetch = createDigestFetch({ username: "ada", password: "lovelace" });
 * const response = await fetch("http://192.0.2.1/axis-cgi/param.cgi?action=list");
 * console.log(response.status, await response.text());
 * ```
 */
export function createDigestFetch(
  { username, password, fetch }: { username: string; password: string; fetch?: Fetch | undefined },
): Fetch {
  const REMEMBERED_SERIES = 64;
  const LARGE_BODY = 16 * 1024; // bytes
  const MOST_REQUESTS = 6; // for one URL: the first, one with the fresh nonce, four more if that was stale
  const MOST_REDIRECTS = 20;
  assertCredential("username", username);
  assertCredential("password", password);
  const origins = new Map<string, State>();

  /** Asks for one URL: the flow of RFC 7616 section 3.2 from top to bottom. */
  async function exchange(call: Call): Promise<Response> {
    const { url, body } = call;
    let state = origins.get(url.origin);
    if (!state) origins.set(url.origin, state = { series: new Map() });
    const stream = isStream(body);
    let session = state.kept;
    let fresh = false; // no request signed by the session has been accepted yet
    let asking = stream || (!session && body && new Blob([body]).size > LARGE_BODY);
    for (let sent = 1;; sent++) {
      const attempt = asking ? bodyless(call) : sent === 1 ? call : copy(call);
      if (!asking) {
        if (session) sign(attempt, session, session.challenge.qop === "auth-int" ? await bytesOf(body) : undefined);
        else attempt.headers.delete("authorization"); // of the call that was redirected here
      }
      const response = await transmit(fetch, attempt);
      const { status, headers } = response;
      if (status === 401) {
        const fields = headers.get("www-authenticate");
        const challenge = findDigestChallenge(parseChallenges(fromHeader(fields ?? "")));
        const isFinal = (stream && !asking) || (fresh && !(challenge?.stale && sent < MOST_REQUESTS));
        if (!challenge || isFinal) {
          // Without any challenge it is a role that is missing. With one, the next call asks before it signs:
          // lockouts count the signed tries.
          if (fresh) state.kept = fields === null ? session : undefined;
          // A stream cannot use the fresh nonce itself, and a GET that is open to everybody would not bring it.
          else if (session && challenge) state.kept = open(challenge, state);
          return response;
        }
        session = open(challenge, state);
        fresh = true;
      } else if (!asking) {
        const nonce = session && nextNonce(headers);
        if (session && nonce) state.kept = open({ ...session.challenge, nonce }, state);
        else if (fresh) state.kept = session;
        return response;
      }
      await discard(response, call);
      asking = false;
    }
  }

  function open(challenge: DigestChallenge, { kept, series }: State): Session {
    const key = JSON.stringify([challenge.nonce, challenge.opaque]);
    const used = series.get(key) ?? { count: 0 };
    series.delete(key); // the one handed out last goes to the end
    series.set(key, used);
    for (const [oldest, its] of series) {
      if (series.size > REMEMBERED_SERIES && its !== kept?.used) series.delete(oldest);
    }
    return { challenge, used, signer: createSigner(challenge, { username, password, cnonce: randomUUID() }) };
  }

  return layer(true, async (first) => {
    if (first.redirect !== "follow") return await exchange(first);
    let call: Call = { ...first, redirect: "manual" };
    for (let redirects = 0;; redirects++) {
      // Unsigned once it has led to another origin, even if it leads back: the native fetch knows nothing of us.
      const isForeign = call.url.origin !== first.url.origin;
      const response = isForeign ? await transmit(fetch, { ...call, redirect: "follow" }) : await exchange(call);
      const next = !isForeign && redirected(call, response);
      if (!next) return redirects === 0 ? response : Object.defineProperty(response, "redirected", { value: true });
      if (redirects === MOST_REDIRECTS) throw refusal(`Cannot follow more than ${MOST_REDIRECTS} redirects`);
      await discard(response, call);
      call = next;
    }
  });
}

/** Signs a call with the next count of the session. */
function sign({ url, method, headers }: Call, { used, signer }: Session, body: Uint8Array | undefined): void {
  headers.set("authorization", signer({ method, uri: url.pathname + url.search, count: ++used.count, body }));
}

async function bytesOf(body: Call["body"]): Promise<Uint8Array> {
  if (isStream(body)) throw refusal("Cannot hash a stream for a server that only takes auth-int. Read it first");
  return new Uint8Array(await new Response(body).arrayBuffer());
}

/** The nonce for the next request (RFC 7616 section 3.5). */
function nextNonce(headers: Headers): string | null | undefined {
  const info = headers.get("authentication-info");
  return info && parseChallenges(`Digest ${fromHeader(info)}`)[0]?.params.nextnonce;
}

/** Asks for the challenge in place of a call whose body must not be sent in vain. */
function bodyless(call: Call): Call {
  const asking = copy(call, { method: "GET", body: null, redirect: "manual" });
  removeFields(asking, /^(authorization$|content-|if-|range$)/);
  return asking;
}

/** Where a response leads, as the fetch standard's HTTP-redirect fetch has it; undefined if nowhere. */
function redirected(call: Call, { status, headers }: Response): Call | undefined {
  const location = [301, 302, 303, 307, 308].includes(status) ? headers.get("location") : null;
  if (location === null) return undefined;
  const url = parseUrl(utf8Text(fromHeader(location)), call.url);
  const { method, body } = call;
  if (status !== 303 && isStream(body)) {
    throw refusal(`Cannot follow the ${status} with a used stream. Send it to ${url.href}`);
  }
  const toGet = status === 303 ? !isSafe(method) : status < 303 && method === "POST";
  const next = copy(call, toGet ? { url, method: "GET", body: null } : { url });
  if (toGet) removeFields(next, /^content-/);
  if (url.origin !== call.url.origin) removeFields(next, /^(authorization|cookie|host|proxy-authorization)$/);
  return next;
}

function removeFields({ headers }: Call, names: RegExp): void {
  for (const name of [...headers.keys()]) if (names.test(name)) headers.delete(name);
}
