import assert from "node:assert/strict";
import { test } from "node:test";
import { type Challenge, findDigestChallenge, parseChallenges } from "../lib/digest/challenge.ts";
import { assertLinear } from "./growth.ts";

function one(header: string): Challenge {
  const challenges = parseChallenges(header);
  assert.equal(challenges.length, 1, header);
  return challenges[0] ?? { scheme: "", params: {} };
}

test("parseChallenges() reads what Atlas sends", () => {
  const header = 'Digest realm="MMS Public API", domain="", nonce="a+b/c==", algorithm=MD5, qop="auth", stale=false';
  assert.deepEqual(one(header), {
    scheme: "digest",
    params: { realm: "MMS Public API", domain: "", nonce: "a+b/c==", algorithm: "MD5", qop: "auth", stale: "false" },
  });
});

test("parseChallenges() finds Digest behind and before other schemes in one value", () => {
  const digest = { scheme: "digest", params: { realm: "d", nonce: "n" } };
  const basic = { scheme: "basic", params: { realm: "b" } };
  assert.deepEqual(parseChallenges('Basic realm="b", Digest realm="d", nonce="n"'), [basic, digest]);
  assert.deepEqual(parseChallenges('Digest realm="d", nonce="n", Basic realm="b"'), [digest, basic]);
  assert.deepEqual(parseChallenges('Digest realm="d", nonce="n" Basic realm="b"'), [digest, basic]);
});

test("parseChallenges() reads several fields as Headers joins them", () => {
  const headers = new Headers();
  headers.append("www-authenticate", 'Digest realm="a", nonce="1", algorithm=SHA-256');
  headers.append("www-authenticate", 'Digest realm="a", nonce="2", algorithm=MD5');
  assert.deepEqual(parseChallenges(headers.get("www-authenticate") ?? "").map(({ params }) => params.nonce), [
    "1",
    "2",
  ]);
});

test("parseChallenges() keeps commas, escaped quotes and backslashes inside quotes", () => {
  const { params } = one('Digest realm="a, b=\\"c\\", Basic d\\\\", nonce="n"');
  assert.deepEqual(params, { realm: 'a, b="c", Basic d\\', nonce: "n" });
});

test("parseChallenges() tells token68 from parameters", () => {
  assert.deepEqual(parseChallenges('NTLM TlRMTVNTUAAB==, Negotiate, Digest nonce="n"'), [
    { scheme: "ntlm", params: {}, token68: "TlRMTVNTUAAB==" },
    { scheme: "negotiate", params: {} },
    { scheme: "digest", params: { nonce: "n" } },
  ]);
});

test("parseChallenges() takes spaces around =, any case, unquoted values and missing commas", () => {
  assert.deepEqual(one('dIGest  REALM = "a" ,Nonce=a+b/c==\t, QoP =auth nc-hint="1"'), {
    scheme: "digest",
    params: { realm: "a", nonce: "a+b/c==", qop: "auth", "nc-hint": "1" },
  });
  assert.deepEqual(one("digest realm='a',nonce=n").params, { realm: "'a'", nonce: "n" });
  assert.deepEqual(one('Digest nonce="n",opaque=,qop=""').params, { nonce: "n", opaque: "", qop: "" });
});

test("parseChallenges() takes the first of a repeated parameter", () => {
  assert.equal(one('Digest nonce="first", NONCE="second"').params.nonce, "first");
});

test("parseChallenges() reads an unclosed quote to the end", () => {
  assert.deepEqual(one('Digest nonce="n", realm="a, qop=auth').params, { nonce: "n", realm: "a, qop=auth" });
  assert.deepEqual(one('Digest realm="a\\').params, { realm: "a" });
});

test("parseChallenges() reads a word without a comma before it as part of the unquoted value, or as a scheme", () => {
  assert.deepEqual(one('Digest realm=My Camera, domain=/a /b, nonce="n"').params, {
    realm: "My Camera",
    domain: "/a /b",
    nonce: "n",
  });
  assert.deepEqual(parseChallenges("Basic realm=My Digest, nonce=x"), [
    { scheme: "basic", params: { realm: "My Digest", nonce: "x" } },
  ]);
  assert.deepEqual(parseChallenges("Digest nonce=n realm=My Camera Basic realm=b"), [
    { scheme: "digest", params: { nonce: "n", realm: "My Camera" } },
    { scheme: "basic", params: { realm: "b" } },
  ]);
  assert.deepEqual(one("Digest realm = two  words ,nonce=n").params, { realm: "two  words", nonce: "n" });
});

test("parseChallenges() gives parameters behind a token68 to no challenge", () => {
  assert.deepEqual(parseChallenges("Other abc==, realm=x"), [{ scheme: "other", params: {}, token68: "abc==" }]);
  assert.deepEqual(parseChallenges("Other abc==, realm=x, Digest nonce=n, Negotiate abc"), [
    { scheme: "other", params: {}, token68: "abc==" },
    { scheme: "digest", params: { nonce: "n" } },
    { scheme: "negotiate", params: {}, token68: "abc" },
  ]);
});

test("parseChallenges() gives no challenge a parameter that stands behind garbage", () => {
  for (
    const garbage of [
      "@ nonce=evil",
      'B@sic realm="b", nonce="evil"',
      '"quoted, nonce=evil", nonce=evil',
      "=x, nonce=evil",
      "nonce@evil=x, nonce=evil",
    ]
  ) {
    const digest = parseChallenges(`Digest realm="d", ${garbage}`).find(({ scheme }) => scheme === "digest");
    assert.deepEqual(digest?.params, { realm: "d" }, garbage);
  }
  assert.deepEqual(parseChallenges('nonce="n", realm="nobody\'s"'), []);
  assert.deepEqual(parseChallenges('"a, Digest nonce=n", Basic realm="b"'), [{
    scheme: "basic",
    params: { realm: "b" },
  }]);
});

test("parseChallenges() keeps names that objects have by themselves apart", () => {
  const { params } = one('Digest __proto__="a", constructor="b", toString="c", nonce="n"');
  assert.equal(params.constructor, "b");
  assert.equal(params.tostring, "c");
  assert.equal(Object.getPrototypeOf(params), Object.prototype);
});

test("parseChallenges() never throws, whatever it is given", () => {
  const alphabet = [
    "Digest ",
    "Basic ",
    "nonce",
    "=",
    '"',
    "\\",
    ",",
    " ",
    "\t",
    "a",
    "==",
    "\u00e9",
    "\u0000",
    "@",
    "realm=x",
  ];
  let state = 1;
  for (let round = 0; round < 20_000; round++) {
    let header = "";
    for (let length = 0; length < 12; length++) {
      state = (state * 1103515245 + 12345) % 2 ** 31; // the same every time
      header += alphabet[state % alphabet.length];
    }
    for (const { scheme, params } of parseChallenges(header)) {
      assert.match(scheme, /^[!#$%&'*+\-.^_`|~0-9a-z]+$/, header);
      for (const name of Object.keys(params)) assert.match(name, /^[!#$%&'*+\-.^_`|~0-9a-z]+$/, header);
    }
  }
});

test("parseChallenges() stays linear in hostile input", async () => {
  const units = [",", '"', "\\", "a=", '""', " ", "a ", "a,", "=", 'a="', "a==, "];
  for (const before of ["", "Digest ", 'Digest a="', "Digest a"]) {
    for (const unit of units) {
      const header = (length: number) => before + unit.repeat(length / unit.length);
      await assertLinear(JSON.stringify(before + unit), (length) => parseChallenges(header(length)));
    }
  }
});

test("findDigestChallenge() takes the strongest hash, then the first sent", () => {
  const header = (...algorithms: string[]) =>
    algorithms.map((algorithm, index) => `Digest realm="r", nonce="${index}", algorithm=${algorithm}`).join(", ");
  const chosen = (...algorithms: string[]) => findDigestChallenge(parseChallenges(header(...algorithms)))?.nonce;
  assert.equal(chosen("MD5", "SHA-256", "SHA-512-256"), "2");
  assert.equal(chosen("SHA-512-256", "SHA-256"), "0");
  assert.equal(chosen("MD5", "SHA-256-sess", "SHA-256"), "1");
  assert.equal(chosen("MD5", "MD5-sess"), "0");
  assert.equal(chosen("SHA-1", "md5"), "1");
  assert.equal(chosen("SHA-1", "SHA-512"), undefined);
});

test("findDigestChallenge() keeps the algorithm as sent", () => {
  const found = (algorithm: string) => {
    const [hash, session, echoed] = [findDigestChallenge(parseChallenges(`Digest nonce=n${algorithm}`))].map((it) => [
      it?.hash,
      it?.session,
      it?.algorithm,
    ])[0] ?? [];
    return [hash, session, echoed];
  };
  assert.deepEqual(found(""), ["MD5", false, undefined]);
  assert.deepEqual(found(", algorithm=md5-Sess"), ["MD5", true, "md5-Sess"]);
  assert.deepEqual(found(', algorithm="Sha-256"'), ["SHA-256", false, "Sha-256"]);
  assert.deepEqual(found(", algorithm=SHA256"), ["SHA-256", false, "SHA256"]); // Fronius
  assert.deepEqual(found(", algorithm=sha256-sess"), ["SHA-256", true, "sha256-sess"]);
  assert.deepEqual(found(", algorithm=SHA512-256"), [undefined, undefined, undefined]);
});

test("findDigestChallenge() prefers auth, takes auth-int, takes no qop, and nothing unknown", () => {
  const qop = (value: string) => findDigestChallenge(parseChallenges(`Digest nonce=n, qop=${value}`))?.qop;
  assert.equal(qop('"auth-int,auth"'), "auth");
  assert.equal(qop('"AUTH , x"'), "auth");
  assert.equal(qop('"auth-int"'), "auth-int");
  assert.equal(qop("auth"), "auth");
  for (const none of ['""', '" , "']) {
    const found = findDigestChallenge(parseChallenges(`Digest nonce=n, qop=${none}`));
    assert.equal(found?.nonce, "n");
    assert.ok(found && !("qop" in found));
  }
  assert.equal(findDigestChallenge(parseChallenges('Digest nonce=n, qop="auth-conf"')), undefined);
});

test("findDigestChallenge() needs a nonce and the scheme, and no more", () => {
  assert.equal(findDigestChallenge(parseChallenges('Digest realm="r"')), undefined);
  assert.equal(findDigestChallenge(parseChallenges('Basic nonce="n"')), undefined);
  assert.equal(findDigestChallenge([]), undefined);
  assert.deepEqual(findDigestChallenge(parseChallenges('Digest nonce="n"')), {
    realm: "",
    nonce: "n",
    hash: "MD5",
    session: false,
    stale: false,
    userhash: false,
  });
});

test("findDigestChallenge() reads stale and userhash in any form", () => {
  for (const value of ["true", '"true"', "TRUE"]) {
    const found = findDigestChallenge(parseChallenges(`Digest nonce=n, opaque="o", stale=${value}, userhash=${value}`));
    assert.deepEqual([found?.stale, found?.userhash, found?.opaque], [true, true, "o"]);
  }
  for (const value of ["FALSE", '"false"', "1", '""']) {
    const found = findDigestChallenge(parseChallenges(`Digest nonce=n, stale=${value}, userhash=${value}`));
    assert.deepEqual([found?.stale, found?.userhash], [false, false]);
  }
});
