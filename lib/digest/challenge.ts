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

// Characters: far beyond what any runtime lets in, and what keeps V8's patterns from running out of stack.
const LONGEST_HEADER = 1024 * 1024;

const { raw } = String;
// The parts of RFC 9110 sections 5.6.2, 5.6.4 and 11.2. Each class excludes what may follow it, or nothing follows that
// could fail, so matching stays linear. A missing closing quote is taken as being at the end.
const QUOTED = raw`"([^"\\]*(?:\\[^][^"\\]*)*)"?`;
const VALUE = raw`[ \t]*=[ \t]*(?:${QUOTED}|([^ \t,]*))`;
const TOKEN68 = raw`[ \t]+([\w.~+/-]+=*)(?=[ \t]*(?:,|$))`;
const NAME = raw`([\w!#$%&'*+.^\x60|~-]+)(?:${VALUE}|${TOKEN68})?`;
const MEMBER = new RegExp(raw`[ \t,]*(?:${NAME}|(?:[^",]+|${QUOTED})+)`, "gy");

/**
 * The challenges of a `WWW-Authenticate` value, in the order sent.
 *
 * Several fields may be joined by commas, as `Headers` does. It never throws and takes linear time. Beyond the grammar
 * of RFC 9110 section 11.6.1 it reads what real servers send: unquoted values, spaces around `=`, missing commas,
 * an unclosed quote. Parameters behind anything else belong to no challenge; what is beyond a million characters is
 * not read.
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
  const challenges: Challenge[] = [];
  let params: Record<string, string> | undefined;
  for (const [, token, quoted, plain, token68] of header.slice(0, LONGEST_HEADER).matchAll(MEMBER)) {
    const name = token?.toLowerCase();
    const value = quoted?.replace(/\\([^])/g, "$1") ?? plain;
    if (name === undefined) {
      params = undefined; // it may have been a scheme: what follows must not go to the one before
    } else if (value === undefined) {
      params = {};
      challenges.push({ scheme: name, params, ...(token68 !== undefined && { token68 }) });
    } else if (params && !Object.hasOwn(params, name)) {
      params[name] = value;
    }
  }
  return challenges;
}

/**
 * The Digest challenge to answer: the one with the strongest hash, then the first sent; undefined if there is none
 * that can be answered.
 *
 * It needs a nonce, a known algorithm, and `auth` or `auth-int` if it offers any qop (RFC 7616 section 3.7).
 */
export function findDigestChallenge(challenges: readonly Challenge[]): DigestChallenge | undefined {
  for (const hash of ["SHA-512-256", "SHA-256", "MD5"] as const) {
    for (const { scheme, params } of challenges) {
      const { realm = "", nonce, opaque, algorithm, stale = "", userhash = "" } = params;
      const name = (algorithm ?? "MD5").toUpperCase();
      const offered: readonly string[] | null = (params.qop ?? "").toLowerCase().match(/[^\s,]+/g);
      const qop = (["auth", "auth-int"] as const).find((known) => offered?.includes(known));
      const isKnown = name.replace(/-SESS$/, "") === hash && (!offered || qop !== undefined);
      if (scheme !== "digest" || nonce === undefined || !isKnown) continue;
      return {
        realm,
        nonce,
        ...(opaque !== undefined && { opaque }),
        ...(algorithm !== undefined && { algorithm }),
        hash,
        session: name !== hash,
        ...(qop && { qop }),
        stale: stale.toLowerCase() === "true",
        userhash: userhash.toLowerCase() === "true",
      };
    }
  }
  return undefined;
}
