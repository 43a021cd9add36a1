import type { DigestChallenge } from "./challenge.ts";
import { bytesOf, hexDigest, utf8ByteString } from "./hash.ts";

/** What is signed, and with what. */
export interface DigestRequest {
  /** Sent as UTF-8. */
  username: string;
  /** Hashed as UTF-8. */
  password: string;
  /** As sent. */
  method: string;
  /** Path and query, as sent. */
  uri: string;
  /** Of requests with this nonce, from 1. */
  count: number;
  /** Random. */
  cnonce: string;
  /** For `auth-int`. */
  body?: string | Uint8Array | undefined;
}

export type Signer = (request: Omit<DigestRequest, "username" | "password" | "cnonce">) => string;

/**
 * The `Authorization` value that answers a Digest challenge (RFC 7616 section 3.4; RFC 2069 without qop).
 *
 * Realm, nonce and opaque are byte strings, as fetch delivers them; the rest is text.
 *
 * @throws {TypeError} if user name or password holds CR, LF or NUL, or the platform lacks the hash
 */
export function digestAuthorization(challenge: DigestChallenge, request: DigestRequest): string {
  assertCredential("username", request.username);
  assertCredential("password", request.password);
  return createSigner(challenge, request)(request);
}

/** Throws for what would end the header field, or be cut off by servers written in C. */
export function assertCredential(name: string, value: unknown): asserts value is string {
  if (typeof value !== "string") throw new TypeError(`Cannot authenticate: ${name} is missing, or is no string`);
  if (/[\r\n\0]/.test(value)) throw new TypeError(`Cannot authenticate: ${name} holds a line break or NUL`);
}

export function createSigner(
  { realm, nonce, opaque, algorithm, hash, session, qop, userhash }: DigestChallenge,
  credentials: Pick<DigestRequest, "username" | "password" | "cnonce">,
): Signer {
  const { cnonce } = credentials;
  const isPlain = /^[\0-\x7f]*$/.test(nonce);
  const digest = (byteString: string) => hexDigest(hash, isPlain ? byteString : bytesOf(byteString));
  const username = utf8ByteString(credentials.username);
  let ha1 = hexDigest(hash, bytesOf(`${username}:${realm}:${utf8ByteString(credentials.password)}`));
  if (session) ha1 = digest(`${ha1}:${nonce}:${cnonce}`);

  // A1 holds the plain name (RFC 7616 section 3.4.4).
  const name = userhash ? hexDigest(hash, bytesOf(`${username}:${realm}`)) : username;
  // In the order of RFC 7616's example, by which some devices read.
  const start = `Digest username=${quoted(name)}, realm=${quoted(realm)}, nonce=${quoted(nonce)}, uri=`;
  const beforeCount = algorithm === undefined ? "" : `, algorithm=${algorithm}`;
  let afterCount = "";
  if (qop || session) afterCount += `, cnonce=${quoted(cnonce)}`;
  if (qop) afterCount += `, qop=${qop}`;
  if (opaque !== undefined) afterCount += `, opaque=${quoted(opaque)}`;
  if (userhash) afterCount += ", userhash=true";

  return ({ method, uri, count, body = "" }) => {
    const bodyHash = qop === "auth-int" ? `:${hexDigest(hash, body)}` : "";
    const ha2 = hexDigest(hash, `${method}:${uri}${bodyHash}`);
    const nc = count.toString(16).padStart(8, "0");
    const response = digest(`${ha1}:${nonce}:${qop ? `${nc}:${cnonce}:${qop}:` : ""}${ha2}`);
    return `${start}${quoted(uri)}${beforeCount}${qop ? `, nc=${nc}` : ""}${afterCount}, response="${response}"`;
  };
}

function quoted(value: string): string {
  const needsEscapes = /["\\]/.test(value);
  return `"${needsEscapes ? value.replace(/["\\]/g, "\\$&") : value}"`;
}
