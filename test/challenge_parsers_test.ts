// parseChallenges beside a parser of another build: one regular expression for a member of the list.
import assert from "node:assert/strict";
import { test } from "node:test";
import { type Challenge, parseChallenges } from "../lib/digest/challenge.ts";
import { createRandom } from "./random.ts";

const { raw } = String;
const TOKEN = "[\\w!#$%&'*+.^`|~-]+";
const QUOTED = raw`"(?<quoted>[^"\\]*(?:\\[^][^"\\]*)*)"?`;
const PARAMETER_FOLLOWS = raw`[ \t]+(?:${TOKEN}[ \t]+)?${TOKEN}[ \t]*=`;
const WORDS = raw`[^ \t,]*(?:(?!${PARAMETER_FOLLOWS})[ \t]+[^ \t,"][^ \t,]*)*`;
const PARAMETER = raw`(?<name>${TOKEN})[ \t]*=[ \t]*(?:${QUOTED}|(?<words>${WORDS}))`;
const BEHIND_COMMA = raw`(?<=(?:^|,)[ \t]*)`;
const WITH_TOKEN68 = raw`${BEHIND_COMMA}(?<owner>${TOKEN})[ \t]+(?<token68>[\w.~+/-]+=*)(?=[ \t]*(?:,|$))`;
const WITH_PARAMETERS = raw`(?<scheme>${TOKEN})(?=${PARAMETER_FOLLOWS})`;
const ALONE = raw`${BEHIND_COMMA}(?<alone>${TOKEN})(?=[ \t]*(?:,|$))`;
const GARBAGE = raw`(?:[^",]+|"[^"\\]*(?:\\[^][^"\\]*)*"?)+`;
const MEMBER = new RegExp(`[ \\t,]*(?:${PARAMETER}|${WITH_TOKEN68}|${WITH_PARAMETERS}|${ALONE}|${GARBAGE})`, "gy");

function parseByExpression(header: string): Challenge[] {
  const challenges: Challenge[] = [];
  let params: Record<string, string> | undefined;
  for (const { groups } of header.matchAll(MEMBER)) {
    const { name, quoted, words, owner, token68, scheme, alone } = groups ?? {};
    if (name !== undefined) {
      const value = quoted?.replace(/\\([^])/g, "$1") ?? words ?? "";
      if (params && !Object.hasOwn(params, name.toLowerCase())) params[name.toLowerCase()] = value;
      continue;
    }
    params = undefined;
    if (owner !== undefined && token68 !== undefined) {
      challenges.push({ scheme: owner.toLowerCase(), params: {}, token68 });
    } else if (scheme !== undefined || alone !== undefined) {
      params = {};
      challenges.push({ scheme: (scheme ?? alone ?? "").toLowerCase(), params });
    }
  }
  return challenges;
}

const PIECES = [
  ...["Digest ", "Basic ", "Negotiate", "NTLM TlRM==", "nonce", "realm=x", 'realm="a, b"', "qop=auth", "My Camera"],
  ...["=", '"', "\\", ",", ", ", " ", "\t", "a", "==", "\u00e9", "\u0000", "@", "/b", "b=c", ' "q" '],
];
const REAL = [
  'Digest realm="MMS Public API", domain="", nonce="a+b/c==", algorithm=MD5, qop="auth", stale=false',
  'Basic realm="b", Digest realm="d", nonce="n", opaque="", qop="auth,auth-int", Negotiate, NTLM TlRM',
  'digest nonce=n,realm=My Camera,opaque=,qop=auth Basic realm="x\\"y"',
];

const random = createRandom(2);
const below = (max: number) => Math.floor(random() * max);
const pick = (list: readonly string[]) => list[below(list.length)] ?? "";

function randomHeader(): string {
  return Array.from({ length: 1 + below(14) }, () => pick(PIECES)).join("");
}

/** A real one, with pieces taken away and put in. */
function mutatedHeader(): string {
  let header = pick(REAL);
  for (let change = 1 + below(4); change > 0; change--) {
    const start = below(header.length);
    header = header.slice(0, start) + (below(2) ? pick(PIECES) : "") + header.slice(start + below(4));
  }
  return header;
}

test("parseChallenges() reads 100,000 random and mutated headers as a parser of another build does", () => {
  for (let round = 0; round < 50_000; round++) {
    for (const header of [randomHeader(), mutatedHeader()]) {
      const [ours, other] = [parseChallenges(header), parseByExpression(header)];
      if (JSON.stringify(ours) !== JSON.stringify(other)) assert.deepEqual(ours, other, JSON.stringify(header));
    }
  }
});
