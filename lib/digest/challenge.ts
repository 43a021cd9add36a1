import type { HashName } from "./hash.ts";

/** One challenge of a `WWW-Authenticate` header (RFC 9110 section 11.6.1). */
export interface Challenge {
  /** The scheme, lower-cased: `digest`, `basic`. */
  scheme: string;
  /** The parameters by lower-cased name, unquoted; of a repeated one the first value. */
  params: Readonly<Record<string, string>>;
  /** What follows the scheme where it takes one value in place of parameters, as `Negotiate` does. */
  token68?: string;
}

/** A Digest challenge that can be answered (RFC 7616 section 3.3). */
export interface DigestChallenge {
  /** Whose credentials are wanted; a byte string, as nonce and opaque are. */
  realm: string;
  /** Made by the server, to be used for as long as it likes. */
  nonce: string;
  /** To be echoed. */
  opaque?: string;
  /** As sent, to be echoed as it stands; absent means MD5. */
  algorithm?: string;
  /** What the algorithm hashes with. */
  hash: HashName;
  /** Whether the algorithm ends in `-sess`. */
  session: boolean;
  /** The one to use; undefined where none was offered (RFC 2069). */
  qop?: "auth" | "auth-int";
  /** The nonce was the fault, not the credentials. */
  stale: boolean;
  /** The server wants the user name hashed (RFC 7616 section 3.4.4). */
  userhash: boolean;
}

interface Reader {
  readonly input: string;
  pos: number;
}

// RFC 9110 sections 5.6.2 and 11.2. Each class excludes what may follow it, so matching stays linear.
const TOKEN = /[!#$%&'*+\-.^_`|~\dA-Za-z]+/y;
const TOKEN68 = /[\dA-Za-z\-._~+/]+=*(?=[ \t]*(?:,|$))/y;
const SPACES = /[ \t]*/y;
const SEPARATORS = /[ \t,]*/y;
const PLAIN = /[^"\\]*/y; // within quotes
const UNQUOTED = /[^ \t,]*/y;

/**
 * The challenges of a `WWW-Authenticate` value, in the order sent.
 *
 * Several fields may be joined by commas, as `Headers` does. It never throws and takes linear time. Beyond the grammar
 * of RFC 9110 section 11.6.1 it reads what real servers send: unquoted values, spaces around `=`, missing commas,
 * an unclosed quote. Parameters behind anything else belong to no challenge.
 *
 * @example
 * ```ts
 * import { parseChallenges } from "atlas-fetch/digest";
 *
 * const [basic, digest] = parseChallenges('Basic realm="a, b", Digest realm="c", nonce="d"');
 * console.log(basic?.params.realm, digest?.params.nonce); // a, b d
 * ```
 */
export function parseChallenges(header: string): Challenge[] {
  const reader: Reader = { input: header, pos: 0 };
  const challenges: Challenge[] = [];
  let params: Record<string, string> | undefined;
  for (;;) {
    take(reader, SEPARATORS);
    if (reader.pos >= header.length) return challenges;
    const name = take(reader, TOKEN).toLowerCase();
    if (name === "") {
      skipMember(reader);
      params = undefined; // it may have been a scheme: what follows must not go to the one before
      continue;
    }
    const value = parameterValue(reader);
    if (value === undefined) {
      const token68 = take(reader, SPACES) && take(reader, TOKEN68);
      params = {};
      challenges.push({ scheme: name, params, ...(token68 && { token68 }) });
    } else if (params && !Object.hasOwn(params, name)) {
      params[name] = value;
    }
  }
}

function take(reader: Reader, pattern: RegExp): string {
  pattern.lastIndex = reader.pos;
  const match = pattern.exec(reader.input)?.[0] ?? "";
  reader.pos += match.length;
  return match;
}

/** What follows a name, its `=` and any spaces around that; undefined, with nothing taken, if no `=` follows. */
function parameterValue(reader: Reader): string | undefined {
  const start = reader.pos;
  take(reader, SPACES);
  if (reader.input[reader.pos] !== "=") {
    reader.pos = start;
    return undefined;
  }
  reader.pos++;
  take(reader, SPACES);
  return reader.input[reader.pos] === '"' ? quotedString(reader) : take(reader, UNQUOTED);
}

/** RFC 9110 section 5.6.4. A missing closing quote is taken as being at the end. */
function quotedString(reader: Reader): string {
  let value = "";
  for (reader.pos++;; reader.pos += 2) {
    value += take(reader, PLAIN);
    if (reader.input[reader.pos] !== "\\") break;
    value += reader.input[reader.pos + 1] ?? "";
  }
  reader.pos++;
  return value;
}

/** Skips to the next comma that is not quoted. */
function skipMember(reader: Reader): void {
  while (reader.pos < reader.input.length && reader.input[reader.pos] !== ",") {
    if (reader.input[reader.pos] === '"') quotedString(reader);
    else reader.pos++;
  }
}

const STRONGEST_FIRST: readonly HashName[] = ["SHA-512-256", "SHA-256", "MD5"];

/**
 * The Digest challenge to answer: the one with the strongest hash, then the first sent; undefined if there is none
 * that can be answered.
 *
 * It needs a nonce, a known algorithm, and `auth` or `auth-int` if it offers any qop (RFC 7616 section 3.7).
 */
export function findDigestChallenge(challenges: readonly Challenge[]): DigestChallenge | undefined {
  const rank = ({ hash }: DigestChallenge) => STRONGEST_FIRST.indexOf(hash);
  return challenges.flatMap(answerable).sort((a, b) => rank(a) - rank(b))[0];
}

function answerable({ scheme, params }: Challenge): DigestChallenge[] {
  const { realm = "", nonce, opaque, algorithm, qop = "", stale, userhash } = params;
  const name = (algorithm ?? "MD5").toUpperCase();
  const session = name.endsWith("-SESS");
  const hash = STRONGEST_FIRST.find((known) => known + (session ? "-SESS" : "") === name);
  const offered: readonly string[] = qop.toLowerCase().match(/[^\s,]+/g) ?? [];
  const chosen = (["auth", "auth-int"] as const).find((known) => offered.includes(known));
  if (scheme !== "digest" || nonce === undefined || !hash || (!chosen && offered.length > 0)) return [];
  return [{
    realm,
    nonce,
    ...(opaque !== undefined && { opaque }),
    ...(algorithm !== undefined && { algorithm }),
    hash,
    session,
    ...(chosen && { qop: chosen }),
    stale: isTrue(stale),
    userhash: isTrue(userhash),
  }];
}

function isTrue(value = ""): boolean {
  return value.toLowerCase() === "true";
}
