import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { digestAuthorization, type DigestRequest } from "../lib/digest/authorization.ts";
import { type DigestChallenge, findDigestChallenge, parseChallenges } from "../lib/digest/challenge.ts";
import { parseAuthorization } from "./digest_server.ts";

interface Vector {
  id: string;
  username: string;
  password: string;
  method: string;
  uri: string;
  wwwAuthenticate: string[];
  cnonce?: string;
  nc?: number;
  expect?: Record<string, string>;
  absent?: string[];
  mustNotProduce?: string;
}

const REQUEST: DigestRequest = { username: "u", password: "p", method: "GET", uri: "/", count: 1, cnonce: "c" };

function challengeOf(header: string): DigestChallenge {
  const found = findDigestChallenge(parseChallenges(header));
  assert.ok(found, header);
  return found;
}

const vectors: Vector[] = JSON.parse(await readFile(new URL("rfc_vectors.json", import.meta.url), "utf8"));

for (
  const { id, wwwAuthenticate, cnonce = "c", nc = 1, expect = {}, absent = [], mustNotProduce, ...request } of vectors
) {
  test(`digestAuthorization() agrees with the vector ${id}`, () => {
    const challenge = challengeOf(wwwAuthenticate.join(", "));
    const header = digestAuthorization(challenge, { ...request, cnonce, count: nc });
    const params = parseAuthorization(header);
    for (const [name, value] of Object.entries(expect)) assert.equal(params[name], value, name);
    for (const name of absent) assert.ok(!(name in params), name);
    assert.match(params.response ?? "", /^[\da-f]+$/);
    assert.notEqual(params.response, mustNotProduce);
  });
}

test("digestAuthorization() leaves qop, nc and algorithm unquoted and quotes the rest", () => {
  const challenge = challengeOf('Digest realm="r", nonce="n", opaque="o", qop="auth", algorithm=Md5, userhash=true');
  const header = digestAuthorization(challenge, { ...REQUEST, count: 255 });
  assert.match(header, /^Digest username="[\da-f]{32}", /);
  for (
    const part of ["qop=auth", "nc=000000ff", "algorithm=Md5", 'opaque="o"', 'cnonce="c"', 'uri="/"', "userhash=true"]
  ) {
    assert.ok(header.split(", ").includes(part), part);
  }
});

test("digestAuthorization() sends only what was offered", () => {
  const header = digestAuthorization(challengeOf('Digest realm="r", nonce="n"'), REQUEST);
  assert.deepEqual(Object.keys(parseAuthorization(header)).sort(), ["nonce", "realm", "response", "uri", "username"]);
});

test("digestAuthorization() sends a cnonce, but no nc, for -sess without qop", () => {
  const params = parseAuthorization(
    digestAuthorization(challengeOf('Digest realm="r", nonce="n", algorithm=MD5-sess'), REQUEST),
  );
  assert.equal(params.cnonce, "c");
  assert.ok(!("nc" in params) && !("qop" in params));
  const md5 = (text: string) => createHash("md5").update(text).digest("hex");
  assert.equal(params.response, md5(`${md5(`${md5("u:r:p")}:n:c`)}:n:${md5("GET:/")}`));
});

test("digestAuthorization() escapes quotes and backslashes, and hashes them as they are", () => {
  const username = 'a"b\\c';
  const header = digestAuthorization(challengeOf('Digest realm="x\\"y", nonce="n"'), { ...REQUEST, username });
  assert.ok(header.includes('username="a\\"b\\\\c", realm="x\\"y"'), header);
  const md5 = (text: string) => createHash("md5").update(text).digest("hex");
  assert.equal(parseAuthorization(header).response, md5(`${md5(`${username}:x"y:p`)}:n:${md5("GET:/")}`));
});

test("digestAuthorization() takes the user name as UTF-8 and the realm as the bytes it came in", () => {
  // fetch delivers the UTF-8 of "Über" as one character a byte.
  const realm = Buffer.from("Über", "utf8").toString("latin1");
  const header = digestAuthorization(challengeOf(`Digest realm="${realm}", nonce="n"`), {
    ...REQUEST,
    username: "Jäsøn 名",
    password: "pässword",
  });
  assert.equal(Buffer.from(parseAuthorization(header).username ?? "", "latin1").toString("utf8"), "Jäsøn 名");
  assert.equal(parseAuthorization(header).realm, realm);
  new Headers({ authorization: header });
  const md5 = (text: string) => createHash("md5").update(text, "utf8").digest("hex");
  assert.equal(parseAuthorization(header).response, md5(`${md5("Jäsøn 名:Über:pässword")}:n:${md5("GET:/")}`));
});

test("digestAuthorization() takes the nonce as bytes too", () => {
  const nonce = "\u00fc\u0080"; // no UTF-8
  const header = digestAuthorization(challengeOf(`Digest realm="r", nonce="${nonce}", opaque="${nonce}"`), REQUEST);
  const md5 = (text: string) => createHash("md5").update(text, "latin1").digest("hex");
  const { response, opaque } = parseAuthorization(header);
  assert.equal(response, md5(`${md5("u:r:p")}:${nonce}:${md5("GET:/")}`));
  assert.equal(opaque, nonce);
});

test("digestAuthorization() hashes the body for auth-int, text as UTF-8", () => {
  const challenge = challengeOf('Digest realm="r", nonce="n", qop="auth-int", algorithm=SHA-256');
  const sha256 = (data: string | Uint8Array) => createHash("sha256").update(data).digest("hex");
  const expected = (body: string | Uint8Array) =>
    sha256(`${sha256("u:r:p")}:n:00000001:c:auth-int:${sha256(`POST:/:${sha256(body)}`)}`);
  const bytes = new Uint8Array([0, 127, 128, 255]);
  for (const body of ["", "{}", "naïve 名", bytes]) {
    const header = digestAuthorization(challenge, { ...REQUEST, method: "POST", body });
    assert.equal(parseAuthorization(header).response, expected(body));
    assert.ok(header.includes("qop=auth-int"));
  }
  const without = digestAuthorization(challenge, { ...REQUEST, method: "POST" });
  assert.equal(parseAuthorization(without).response, expected(""));
});

test("digestAuthorization() refuses CR, LF and NUL, without showing the credential", () => {
  for (const bad of ["\r", "\n", "\0"]) {
    for (const name of ["username", "password"]) {
      const request = { ...REQUEST, [name]: `sekret${bad}` };
      assert.throws(() => digestAuthorization(challengeOf("Digest nonce=n"), request), (error: unknown) => {
        return error instanceof TypeError && error.message.includes(name) && !error.message.includes("sekret");
      });
    }
  }
});

test("digestAuthorization() takes long bodies and names beyond ASCII", () => {
  const challenge = challengeOf('Digest realm="r", nonce="n", qop="auth-int"');
  const long = "ü".repeat(300_000);
  const header = digestAuthorization(challenge, { ...REQUEST, method: "POST", username: long, body: long });
  assert.ok(header.length > 600_000);
});

test("digestAuthorization() sends username, realm, nonce and uri first, and response last", () => {
  const order = (header: string) => [...header.matchAll(/(\w+)=("([^"\\]|\\.)*"|[^",]+)/g)].map(([, name]) => name);
  const all = 'Digest qop="auth", opaque="o", algorithm=MD5-sess, nonce="n", realm="r", userhash=true';
  assert.deepEqual(order(digestAuthorization(challengeOf(all), REQUEST)), [
    ...["username", "realm", "nonce", "uri", "algorithm", "nc", "cnonce", "qop", "opaque", "userhash", "response"],
  ]);
  const bare = digestAuthorization(challengeOf('Digest realm="r", nonce="n"'), REQUEST);
  assert.deepEqual(order(bare), ["username", "realm", "nonce", "uri", "response"]);
});
