import { randomBytes } from "node:crypto";
import { assertCredential, createSigner, type Signer } from "./authorization.ts";
import {
  type Call,
  cancel,
  copy,
  discard,
  door,
  dropHeaders,
  type Fetch,
  isGetOrHead,
  isStream,
  type Send,
  unsigned,
  wire,
} from "./call.ts";
import { type DigestChallenge, findDigestChallenge, parseChallenges } from "./challenge.ts";
import { connectionFailure } from "./connection.ts";
import { followRedirects } from "./redirect.ts";

/** Options of `createDigestFetch`. */
export interface DigestFetchOptions {
  /** Sent as UTF-8. */
  username: string;
  /** Never sent. */
  password: string;
  /**
   * Sends the requests.
   * @default {globalThis.fetch, looked up at each request}
   */
  fetch?: Fetch | undefined;
}

interface Session {
  challenge: DigestChallenge;
  signer: Signer;
  used: { count: number };
}

interface Origin {
  /** Signs the next call. */
  kept?: Session | undefined;
  /** By nonce and opaque. */
  used: Map<string, Session["used"]>;
}

const LARGE_BODY = 16 * 1024; // bytes
const MAX_REQUESTS = 6; // for one URL: unsigned, with a fresh nonce, four more if that was stale
const MAX_ORIGINS = 1000;
const MAX_NONCES = 64;

/**
 * A fetch that answers the Digest challenges (RFC 7616, 2617, 2069) of the origin of the URL it is given.
 *
 * The first call takes two round trips, a later one only one. A 401 that cannot be answered is returned. Redirects to
 * another origin go unsigned. A stream or a body over 16 KiB waits until a bodyless GET has brought a challenge. A GET or
 * HEAD whose connection is lost is sent once more. Of a Request only URL, method, headers, body, signal and redirect
 * count.
 *
 * @param options
 * @throws {TypeError} if a credential is missing or holds CR, LF or NUL. Calls reject with one for an `Authorization`
 * header, a GET with a body, and a stream to be redirected or signed with `auth-int`
 *
 * @example
 * ```ts no-eval
 * import { createDigestFetch } from "atlas-fetch/digest";
 *
 * const fetch = createDigestFetch({ username: "ada", password: "lovelace" });
 * const response = await fetch("http://192.0.2.1/axis-cgi/param.cgi?action=list");
 * ```
 */
export function createDigestFetch(options: DigestFetchOptions): Fetch {
  const { username, password, fetch }: Partial<DigestFetchOptions> = options ?? {};
  assertCredential("username", username);
  assertCredential("password", password);
  const network = wire(fetch);
  const send = followRedirects(digest(username, password, network), network);
  return door((call) => send(unsigned(call)));
}

export function digest(username: string, password: string, send: Send): Send {
  const origins = new Map<string, Origin>();

  function open(challenge: DigestChallenge, { used }: Origin): Session {
    const pair = JSON.stringify([challenge.nonce, challenge.opaque]);
    const cnonce = randomBytes(8).toString("hex"); // embedded servers hold 16 characters
    const signer = createSigner(challenge, { username, password, cnonce });
    return { challenge, signer, used: recall(used, pair, MAX_NONCES, () => ({ count: 0 })) };
  }

  function keepForNextCall(response: Response, session: Session, isFresh: boolean, origin: Origin): void {
    // Without a challenge a role is missing.
    const isAccepted = response.status !== 401 || !response.headers.has("www-authenticate");
    const nonce = nextNonce(response);
    const challenge = challengeOf(response);
    if (isAccepted && nonce) origin.kept = open({ ...session.challenge, nonce }, origin);
    else if (isFresh) origin.kept = isAccepted ? session : undefined; // since lockouts count signed requests
    else if (challenge) origin.kept = open(challenge, origin);
  }

  // The flow of RFC 7616 section 3.2.
  return async function sendDigest(call) {
    const { url, method, body } = call;
    const origin: Origin = recall(origins, url.origin, MAX_ORIGINS, () => ({ used: new Map() }));
    const { kept } = origin;
    let session = kept;
    let sent = 0;

    const needsChallenge = isStream(body) || (!kept && sizeOf(body) > LARGE_BODY);
    if (needsChallenge) {
      const question: Call = { ...copy(call), method: "GET", body: null, redirect: "manual" };
      dropHeaders(question, /^(authorization$|content-|if-|range$)/);
      const answer = await send(question);
      const challenge = challengeOf(answer);
      if (answer.status === 401 && !challenge) {
        cancel(body);
        return answer;
      }
      if (challenge) session = open(challenge, origin);
      await discard(answer, call);
      sent++;
    }

    for (let wasLost = false;;) {
      sign(call, session, session?.challenge.qop === "auth-int" ? await read(body) : undefined);
      sent++;
      const isFresh = session !== kept;
      let response: Response;
      try {
        response = await send(call);
      } catch (error) {
        const isLost = session && connectionFailure(error) === "lost";
        if (isLost && isFresh) origin.kept = session; // the nonce is not at fault
        const mayRepeat = isGetOrHead(method) && !wasLost && sent < MAX_REQUESTS && !call.signal?.aborted;
        if (!isLost || !mayRepeat) throw error;
        wasLost = true;
        continue;
      }
      const challenge = challengeOf(response);
      const isNonceAtFault = !isFresh || challenge?.stale; // a kept one may have ended
      const mayAnswer = isNonceAtFault && !isStream(body) && sent < MAX_REQUESTS;
      if (!challenge || !mayAnswer) {
        if (session) keepForNextCall(response, session, isFresh, origin);
        return response;
      }
      session = open(challenge, origin);
      await discard(response, call);
    }
  };
}

/** Or removes what an earlier try set. */
function sign({ url, method, headers }: Call, session: Session | undefined, body: Uint8Array | undefined): void {
  if (!session) return headers.delete("authorization");
  const { signer, used } = session;
  const uri = url.href.slice(url.origin.length);
  headers.set("authorization", signer({ method, uri, count: ++used.count, body }));
}

async function read(body: Call["body"]): Promise<Uint8Array> {
  if (isStream(body)) throw new TypeError("Cannot hash a stream for a server that takes only auth-int. Read it first");
  return new Uint8Array(await new Response(body).arrayBuffer());
}

function sizeOf(body: Call["body"]): number {
  if (typeof body === "string") return new TextEncoder().encode(body).length;
  if (body instanceof Uint8Array) return body.length;
  return body && "size" in body ? body.size : 0;
}

function challengeOf(response: Response): DigestChallenge | undefined {
  if (response.status !== 401) return undefined;
  return findDigestChallenge(parseChallenges(response.headers.get("www-authenticate") ?? ""));
}

/** RFC 7616 section 3.5. */
function nextNonce({ headers }: Response): string | undefined {
  const info = headers.get("authentication-info");
  return info ? parseChallenges(`Digest ${info}`)[0]?.params.nextnonce : undefined;
}

/** The value of a key, made if it is missing; the least recently used is forgotten. */
function recall<Value>(memory: Map<string, Value>, key: string, max: number, make: () => Value): Value {
  const value = memory.get(key) ?? make();
  if (memory.size > 1) memory.delete(key); // to the end
  memory.set(key, value);
  if (memory.size > max) {
    const [oldest = ""] = memory.keys();
    memory.delete(oldest);
  }
  return value;
}
