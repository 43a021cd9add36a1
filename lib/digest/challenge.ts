import type { HashName } from "./hash.ts";

/** A challenge (RFC 9110 section 11.6.1). */
export interface Challenge {
  /** In lower case. */
  scheme: string;
  /** By name in lower case; the first of a repeated one. */
  params: Readonly<Record<string, string>>;
  /** In place of params. */
  token68?: string;
}

/** A Digest challenge that can be answered (RFC 7616 section 3.3). */
export interface DigestChallenge {
  /** What the password is for. */
  realm: string;
  /** To be signed. */
  nonce: string;
  /** To be sent back. */
  opaque?: string;
  /** As sent. */
  algorithm?: string;
  /** Of the algorithm. */
  hash: HashName;
  /** `-sess`. */
  session: boolean;
  /** Absent in RFC 2069. */
  qop?: "auth" | "auth-int";
  /** Only the nonce was refused. */
  stale: boolean;
  /** The user name is hashed. */
  userhash: boolean;
}

const MAX_LENGTH = 1024 * 1024; // characters, more than a header has

// RFC 9110 sections 5.6 and 11, and what servers send beyond.
const SEPARATORS = /[ \t,]*/y;
const TOKEN = /[\w!#$%&'*+.^`|~-]+/y;
const EQUALS = /[ \t]*=[ \t]*/y;
const QUOTED_STRING = /"([^"\\]*(?:\\[^][^"\\]*)*)"?/y; // unclosed too
const WORD = /[^ \t,]*/y;
const ANOTHER_WORD = /[ \t]+[^ \t,"][^ \t,]*/y;
const TOKEN68 = /[ \t]+([\w.~+/-]+=*)(?=[ \t]*(?:,|$))/y;
const PARAMETER_FOLLOWS = /[ \t]+(?:[\w!#$%&'*+.^`|~-]+[ \t]+)?[\w!#$%&'*+.^`|~-]+[ \t]*=/y; // or a scheme with one
const COMMA_FOLLOWS = /[ \t]*(?:,|$)/y;
const UP_TO_COMMA = /(?:[^",]+|"[^"\\]*(?:\\[^][^"\\]*)*"?)*/y;

/**
 * The challenges of a `WWW-Authenticate` value. It never throws, and takes linear time.
 *
 * Beyond RFC 9110 it reads unquoted values, even with blanks, blanks around `=`, missing commas and an unclosed quote.
 * Parameters after anything else belong to no challenge.
 */
export function parseChallenges(header: string): Challenge[] {
  const text = header.slice(0, MAX_LENGTH);
  const challenges: Challenge[] = [];
  let params: Record<string, string> | undefined;
  let position = 0;

  function matches(rule: RegExp): boolean {
    rule.lastIndex = position;
    return rule.test(text);
  }

  /** Consumes what a rule matches, and returns that or its group. */
  function take(rule: RegExp): string {
    rule.lastIndex = position;
    const match = rule.exec(text);
    if (match) position = rule.lastIndex;
    return match?.[1] ?? match?.[0] ?? "";
  }

  function takeValue(): string {
    if (matches(QUOTED_STRING)) return take(QUOTED_STRING).replace(/\\([^])/g, "$1");
    let words = take(WORD);
    while (matches(ANOTHER_WORD) && !matches(PARAMETER_FOLLOWS)) words += take(ANOTHER_WORD);
    return words;
  }

  for (;;) {
    const isFirst = position === 0;
    const isAfterComma = take(SEPARATORS).includes(",") || isFirst;
    if (position === text.length) return challenges;
    const name = take(TOKEN).toLowerCase();
    if (name && take(EQUALS)) {
      const value = takeValue();
      if (params && !Object.hasOwn(params, name)) params[name] = value;
      continue;
    }
    params = undefined;
    if (name && isAfterComma && matches(TOKEN68)) {
      challenges.push({ scheme: name, params: {}, token68: take(TOKEN68) });
    } else if (name && (matches(PARAMETER_FOLLOWS) || (isAfterComma && matches(COMMA_FOLLOWS)))) {
      params = {};
      challenges.push({ scheme: name, params });
    } else {
      take(UP_TO_COMMA);
    }
  }
}

/** The first Digest challenge with the strongest hash that can be answered. */
export function findDigestChallenge(challenges: readonly Challenge[]): DigestChallenge | undefined {
  const found = challenges.map(readDigest);
  const withHash = (name: HashName) => found.find((challenge) => challenge?.hash === name);
  return withHash("SHA-512-256") ?? withHash("SHA-256") ?? withHash("MD5");
}

function readDigest({ scheme, params }: Challenge): DigestChallenge | undefined {
  const { realm = "", nonce, opaque, algorithm, stale, userhash } = params;
  const [, hash, session] = /^(MD5|SHA-?256|SHA-512-256)(-SESS)?$/.exec((algorithm ?? "MD5").toUpperCase()) ?? [];
  const offered: readonly string[] | null = (params.qop ?? "").toLowerCase().match(/[^\s,]+/g);
  const qop = (["auth", "auth-int"] as const).find((known) => offered?.includes(known));
  const canBeAnswered = scheme === "digest" && nonce !== undefined && (qop !== undefined || !offered);
  if (!canBeAnswered || hash === undefined) return undefined;
  return {
    realm,
    nonce,
    ...(opaque !== undefined && { opaque }),
    ...(algorithm !== undefined && { algorithm }),
    hash: hash === "MD5" || hash === "SHA-512-256" ? hash : "SHA-256", // Fronius leaves its dash out
    session: session !== undefined,
    ...(qop && { qop }),
    stale: stale?.toLowerCase() === "true",
    userhash: userhash?.toLowerCase() === "true",
  };
}
