import type { DigestChallenge } from "./challenge.ts";
import { hexDigest, toHeader, utf8ByteString } from "./hash.ts";

/** What is asked for, by whom, and what makes the answer differ from the last one. */
export interface DigestRequest {
  /** Sent as UTF-8. */
  username: string;
  /** Sent only hashed. */
  password: string;
  /** The method exactly as it is sent. */
  method: string;
  /** The request target: path and query, as on the wire. */
  uri: string;
  /** How many requests this nonce has signed, this one counted: from 1. */
  count: number;
  /** Chosen by the client, at random. */
  cnonce: string;
  /** What is sent; hashed for `auth-int` only. */
  body?: string | Uint8Array | undefined;
}

/** Signs the requests that answer one challenge with one cnonce. */
export type Signer = (request: Omit<DigestRequest, "username" | "password" | "cnonce">) => string;

/**
 * The `Authorization` value that answers a Digest challenge (RFC 7616 section 3.4; RFC 2069 where it offers no qop).
 *
 * Realm, nonce and opaque are taken as byte strings, one character a byte, as fetch delivers them; user name, password
 * and a string body as UTF-8. The value is what `Headers` takes to send those bytes.
 *
 * @throws {TypeError} if the user name or the password holds CR, LF or NUL, or the platform refuses the hash
 *
 * @example
 * ```ts
 * import { digestAuthorization, findDigestChallenge, parseChallenges } from "atlas-fetch/digest";
 *
 * const challenge = findDigestChallenge(parseChallenges('Digest realm="a", nonce="b", qop="auth"'));
 * if (challenge) {
 *   const request = { username: "u", password: "p", method: "GET", uri: "/", count: 1, cnonce: "c" };
 *   console.log(digestAuthorization(challenge, request));
 * }
 * ```
 */
export function digestAuthorization(challenge: DigestChallenge, request: DigestRequest): string {
  const { username, password } = request;
  assertCredential("username", username);
  assertCredential("password", password);
  return createSigner(challenge, request)(request);
}

/**
 * Refuses a credential that would end the header field, or be cut by servers written in C.
 *
 * @throws {TypeError} that names it if it holds CR, LF or NUL, or is no string
 */
export function assertCredential(name: string, value: unknown): asserts value is string {
  if (typeof value === "string" && !/[\r\n\0]/.test(value)) return;
  throw new TypeError(`Cannot authenticate: ${name} holds a line break or NUL, or is no string`);
}

/** Hashes once what stays the same from one request to the next. */
export function createSigner(
  { realm, nonce, opaque, algorithm, hash, session, qop, userhash }: DigestChallenge,
  credentials: Pick<DigestRequest, "username" | "password" | "cnonce">,
): Signer {
  const { cnonce } = credentials;
  const username = utf8ByteString(credentials.username);
  let ha1 = hexDigest(hash, `${username}:${realm}:${utf8ByteString(credentials.password)}`);
  if (session) ha1 = hexDigest(hash, `${ha1}:${nonce}:${cnonce}`);

  // The name is hashed in the header only: A1 holds the plain one (RFC 7616 section 3.4.4).
  const name = userhash ? hexDigest(hash, `${username}:${realm}`) : username;
  let constant = `Digest username=${quoted(name)}, realm=${quoted(realm)}, nonce=${quoted(nonce)}`;
  if (algorithm !== undefined) constant += `, algorithm=${algorithm}`;
  if (opaque !== undefined) constant += `, opaque=${quoted(opaque)}`;
  if (userhash) constant += ", userhash=true";
  if (qop || session) constant += `, cnonce=${quoted(cnonce)}`;
  if (qop) constant += `, qop=${qop}`;
  constant = toHeader(constant);

  // Who asks again and again often asks for the same.
  let a2 = "";
  let ha2 = "";
  let target = "";
  return ({ method, uri, count, body = "" }) => {
    let next = `${method}:${uri}`;
    if (qop === "auth-int") next += `:${hexDigest(hash, typeof body === "string" ? utf8ByteString(body) : body)}`;
    if (next !== a2) {
      a2 = next;
      ha2 = hexDigest(hash, a2);
      target = `, uri=${quoted(uri)}`;
    }
    const nc = count.toString(16).padStart(8, "0");
    const response = hexDigest(hash, `${ha1}:${nonce}:${qop ? `${nc}:${cnonce}:${qop}:` : ""}${ha2}`);
    return `${constant}${qop ? `, nc=${nc}` : ""}${target}, response="${response}"`;
  };
}

function quoted(value: string): string {
  return `"${value.replace(/["\\]/g, "\\$&")}"`;
}
