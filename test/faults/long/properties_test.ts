// What holds for any credentials, any challenge, and any sequence of answers.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { type Challenge, digestAuthorization, findDigestChallenge, parseChallenges } from "../../../lib/digest/mod.ts";
import * as fc from "../../interop/fast_check.ts";
import { readChallenges } from "../challenge_grammar.ts";
import { expectedResponse, readAuthorization } from "../strict_authorization.ts";

const ofCodes = (codes: readonly number[]) => fc.constantFrom(...codes.map((code) => String.fromCharCode(code)));
const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, index) => from + index);

const TOKEN = fc.string({
  unit: fc.constantFrom(..."!#$%&'*+-.^_`|~0123456789abcxyzABCXYZ"),
  minLength: 1,
  maxLength: 8,
});
/** What a quoted string can hold: one character a byte, as fetch delivers it. */
const BYTES = fc.string({ unit: ofCodes([9, ...range(32, 126), ...range(128, 255)]), maxLength: 12 });
/** What people choose for names and passwords, beyond Latin-1 too. */
const CREDENTIAL = fc.string({ unit: "grapheme", maxLength: 12 }).filter((text) => !/\p{Cc}/u.test(text));
const URI = fc.webPath().chain((path) => fc.webQueryParameters().map((query) => `${path || "/"}?${query}`));

const utf8 = (text: string) => Buffer.from(text, "utf8").toString("latin1");
const quoted = (text: string) => `"${text.replace(/["\\]/g, "\\$&")}"`;

test("digestAuthorization() writes what a strict parser reads back, and a server computes too", () => {
  const ALGORITHMS = ["MD5", "md5", "MD5-sess", "SHA-256", "SHA256", "sha-256-SESS", "SHA-512-256", "SHA-512-256-sess"];
  const given = fc.record({
    username: CREDENTIAL,
    password: CREDENTIAL,
    realm: BYTES,
    nonce: BYTES,
    opaque: fc.option(BYTES),
    algorithm: fc.option(fc.constantFrom(...ALGORITHMS)),
    qop: fc.option(fc.constantFrom("auth", "auth-int", "auth-int, auth", "x,auth")),
    userhash: fc.boolean(),
    method: TOKEN,
    uri: URI,
    count: fc.integer({ min: 1, max: 0xffffffff }),
    cnonce: fc.stringMatching(/^[0-9a-f]{16}$/),
    body: CREDENTIAL,
  });
  fc.assert(
    fc.property(given, ({ username, password, method, uri, count, cnonce, body, ...challenge }) => {
      const { realm, nonce, opaque, algorithm, qop, userhash } = challenge;
      const fields = [
        `Digest realm=${quoted(realm)}`,
        `nonce=${quoted(nonce)}`,
        ...(opaque === null ? [] : [`opaque=${quoted(opaque)}`]),
        ...(algorithm === null ? [] : [`algorithm=${algorithm}`]),
        ...(qop === null ? [] : [`qop="${qop}"`]),
        ...(userhash ? ["userhash=true"] : []),
      ];
      const found = findDigestChallenge(parseChallenges(fields.join(", ")));
      assert.ok(found);
      const value = digestAuthorization(found, { username, password, method, uri, count, cnonce, body });
      assert.equal(new Headers({ authorization: value }).get("authorization"), value);

      const params = readAuthorization(value);
      const isSession = /sess/i.test(algorithm ?? "");
      const expectedQop = qop === null ? undefined : qop === "auth-int" ? "auth-int" : "auth";
      const hash = /512/.test(algorithm ?? "") ? "sha512-256" : /256/.test(algorithm ?? "") ? "sha256" : "md5";
      const hashed = createHash(hash).update(`${utf8(username)}:${realm}`, "latin1").digest("hex");
      const { response, ...rest } = params;
      assert.deepEqual({ ...rest }, {
        username: userhash ? hashed : utf8(username),
        realm,
        nonce,
        uri,
        ...(opaque !== null && { opaque }),
        ...(algorithm !== null && { algorithm }),
        ...(userhash && { userhash: "true" }),
        ...((expectedQop || isSession) && { cnonce }),
        ...(expectedQop && { qop: expectedQop, nc: count.toString(16).padStart(8, "0") }),
      });
      const person = { username: utf8(username), password: utf8(password) };
      assert.equal(response, expectedResponse(params, { ...person, method, body: utf8(body) }));
      assert.deepEqual(Object.keys(params).slice(0, 4), ["username", "realm", "nonce", "uri"]);
      assert.equal(Object.keys(params).at(-1), "response");
    }),
    { numRuns: 5000 },
  );
});

/** A challenge, and one of the ways to write it. */
const BLANKS = fc.constantFrom("", "", " ", "\t", "  ");
const VALUE = fc.oneof(
  TOKEN.map((text) => ({ text, value: text })),
  fc.array(fc.tuple(BYTES, fc.boolean()), { maxLength: 3 }).map((parts) => ({
    value: parts.map(([text]) => text).join(""),
    // Any character may be escaped, and two must be.
    text: `"${parts.map(([text, all]) => text.replace(all ? /./gs : /["\\]/g, "\\$&")).join("")}"`,
  })),
);
const PARAMETER = fc.record({ name: TOKEN, before: BLANKS, after: BLANKS, value: VALUE });
const SEPARATOR = fc.tuple(BLANKS, fc.constantFrom(",", ",", ",,", ", ,"), BLANKS).map((parts) => parts.join(""));
const CHALLENGE = fc.oneof(
  { weight: 1, arbitrary: fc.record({ scheme: TOKEN }) },
  { weight: 1, arbitrary: fc.record({ scheme: TOKEN, token68: fc.stringMatching(/^[A-Za-z0-9._~+/-]{1,9}={0,2}$/) }) },
  {
    weight: 4,
    arbitrary: fc.record({
      scheme: TOKEN,
      params: fc.array(PARAMETER, { minLength: 1, maxLength: 5 }),
      separator: SEPARATOR,
    }),
  },
);

interface Written {
  scheme: string;
  token68?: string;
  params?: readonly { name: string; before: string; after: string; value: { text: string; value: string } }[];
  separator?: string;
}

function write({ scheme, token68, params = [], separator = "," }: Written): string {
  const list = params.map(({ name, before, after, value }) => `${name}${before}=${after}${value.text}`);
  return [scheme, token68 ?? list.join(separator)].filter(Boolean).join(" ");
}

function meant({ scheme, token68, params = [] }: Written): Challenge {
  const found: Record<string, string> = {};
  for (const { name, value } of params) {
    if (!Object.hasOwn(found, name.toLowerCase())) found[name.toLowerCase()] = value.value;
  }
  return { scheme: scheme.toLowerCase(), params: found, ...(token68 !== undefined && { token68 }) };
}

test("parseChallenges() reads what was meant, and what a parser by the grammar reads", () => {
  fc.assert(
    fc.property(fc.array(CHALLENGE, { maxLength: 5 }), SEPARATOR, (challenges: Written[], separator) => {
      const text = challenges.map(write).join(separator);
      const expected = challenges.map(meant);
      assert.deepEqual(readChallenges(text), expected, "The parser by the grammar");
      assert.deepEqual(parseChallenges(text), expected);
    }),
    { numRuns: 10_000 },
  );
});

test("parseChallenges() agrees with a parser by the grammar wherever that finds a text valid", () => {
  const PIECES = [
    "Digest",
    "Basic",
    " ",
    " ",
    ",",
    ", ",
    "=",
    "=",
    '"',
    "\\",
    "a",
    "realm",
    'nonce="b"',
    "c=d",
    "/+",
    "\t",
  ];
  let valid = 0;
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...PIECES), { maxLength: 14 }), (pieces) => {
      const text = pieces.join("");
      const expected = readChallenges(text);
      if (!expected) return;
      valid++;
      assert.deepEqual(parseChallenges(text), expected, JSON.stringify(text));
    }),
    { numRuns: 200_000 },
  );
  assert.ok(valid > 20_000, `Only ${valid} texts were valid`);
});

test("parseChallenges() never throws, and lends no parameter to another challenge, whatever stands between them", () => {
  const garbage = fc.oneof(
    fc.string({ unit: ofCodes(range(0, 255)), maxLength: 20 }),
    fc.string({ unit: fc.constantFrom(...'",=\\ \ta'), maxLength: 12 }),
  );
  fc.assert(
    fc.property(fc.array(garbage, { minLength: 2, maxLength: 6 }), (pieces) => {
      const text = pieces.map((piece, index) => {
        return `${piece}, Digest realm="tag${index}", nonce="tag${index}", opaque="tag${index}"`;
      }).join(", ");
      for (const { params } of parseChallenges(text)) {
        const tags = Object.values(params).filter((value) => /^tag\d$/.test(value));
        assert.ok(new Set(tags).size <= 1, `${JSON.stringify(text)} mixes ${tags}`);
      }
    }),
    { numRuns: 20_000 },
  );
});
