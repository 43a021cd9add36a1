import assert from "node:assert/strict";
import { test } from "node:test";
import { createFakeAtlas, type FakeAtlas } from "../lib/testing.ts";
import {
  ACCEPT,
  authorization,
  challengeOf,
  jsonOf,
  newNonce,
  ORIGIN,
  responseOf,
  type Signed,
  signed,
  V2,
  withClock,
} from "./fake_client.ts";

test("createFakeAtlas() challenges in Atlas's words", async () => {
  const fake = createFakeAtlas();
  const response = await fake(`${V2}/groups`, { headers: { Accept: ACCEPT } });
  assert.equal(challengeOf(response).stale, "false");
  assert.deepEqual([...response.headers.keys()].sort(), ["content-type", "www-authenticate"]);
  assert.deepEqual(await jsonOf(response), {
    error: 401,
    reason: "Unauthorized",
    detail: "You are not authorized for this resource.",
    errorCode: "UNEXPECTED_ERROR",
  });
  assert.notEqual(await newNonce(fake), await newNonce(fake));
});

test("createFakeAtlas() makes up an API key unless it is given one", () => {
  const { credentials } = createFakeAtlas();
  assert.match(credentials.publicKey, /^[a-z]{8}$/);
  assert.match(credentials.privateKey, /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
  assert.notDeepEqual(createFakeAtlas({ credentials: undefined }).credentials, credentials);
  const given = { publicKey: "abcdefgh", privateKey: "secret" };
  assert.deepEqual(createFakeAtlas({ credentials: given }).credentials, given);
});

test("createFakeAtlas() answers a wrong key as it answers none", async () => {
  const fake = createFakeAtlas();
  for (const wrong of [{ username: "wrongkey" }, { password: "wrong" }]) {
    const changes = { nonce: await newNonce(fake), ...wrong };
    const Authorization = authorization(signed(fake.credentials, changes));
    const response = await fake(`${V2}/`, { headers: { Accept: ACCEPT, Authorization } });
    assert.equal(challengeOf(response).stale, "false", JSON.stringify(wrong));
    const none = await fake(`${V2}/`);
    assert.deepEqual([...response.headers.keys()], [...none.headers.keys()]);
    assert.equal(await response.text(), await none.text());
  }
});

test("createFakeAtlas() refuses what is signed for another request", async () => {
  const fake = createFakeAtlas();
  const url = `${V2}/groups?pageNum=1`;
  const uri = "/api/atlas/v2/groups?pageNum=1";
  const status = async (changes: Partial<Signed>) => {
    const it = signed(fake.credentials, { nonce: await newNonce(fake), uri, ...changes });
    const headers = { Accept: ACCEPT, Authorization: authorization(it) };
    const response = await fake(url, { headers });
    if (response.status === 401) assert.equal(challengeOf(response).stale, "false");
    return response.status;
  };
  assert.equal(await status({}), 200);
  assert.equal(await status({ uri: "/api/atlas/v2/groups" }), 401);
  assert.equal(await status({ uri: `${uri}#fragment` }), 401);
  assert.equal(await status({ uri: url }), 401);
  assert.equal(await status({ method: "POST" }), 401);
  assert.equal(await status({ method: "get" }), 401);
  assert.equal(await status({ realm: "mms public api" }), 401);
  assert.equal(await status({ algorithm: "MD5-sess" }), 401);
  assert.equal(await status({ algorithm: "md5" }), 401);
  assert.equal(await status({ qop: "auth-int" }), 401);
  assert.equal(await status({ cnonce: "" }), 401);
  assert.equal(await status({ nc: "1" }), 401);
  assert.equal(await status({ nc: "0000000x" }), 401);
  assert.equal(await status({ nc: "0000000A" }), 401);
  assert.equal(await status({ nc: "0000000a" }), 200);
  assert.equal(await status({ nc: "00000000" }), 401);
});

test("createFakeAtlas() refuses an Authorization that is malformed, repeats itself or lacks a part", async () => {
  const fake = createFakeAtlas();
  const status = async (change: (value: string) => string) => {
    const it = signed(fake.credentials, { nonce: await newNonce(fake) });
    const headers = { Accept: ACCEPT, Authorization: change(authorization(it)) };
    return (await fake(`${V2}/`, { headers })).status;
  };
  assert.equal(await status((value) => value), 200);
  for (const name of ["username", "realm", "nonce", "uri", "qop", "nc", "cnonce", "response"]) {
    const part = new RegExp(`\\b${name}=("[^"]*"|[^,]*)(, |$)`);
    assert.equal(await status((value) => value.replace(part, "")), 401, name);
    const again = (value: string) => `${value.replace(/, $/, "")}, ${part.exec(value)?.[0]}`;
    assert.equal(await status((value) => again(value).replace(/, $/, "")), 401, `${name} twice`);
  }
  // Clients of MongoDB's tutorial leave the algorithm out.
  assert.equal(await status((value) => value.replace("algorithm=MD5, ", "")), 200);
  assert.equal(await status((value) => value.replace("Digest", "Basic")), 401);
  assert.equal(await status(() => "Digest"), 401);
  assert.equal(await status(() => "Basic YTpi"), 401);
  assert.equal(await status((value) => `${value}"`), 401);
  assert.equal(await status((value) => value.replace(", realm", " realm")), 401);
  assert.equal(await status((value) => value.replace(/response="(\w{32})"/, 'response="$1')), 401);
  assert.equal(await status((value) => value.replace(/response="(\w{32})"/, 'response="$10"')), 401);
});

test("createFakeAtlas() reads an Authorization of any order, case, quoting and spacing", async () => {
  const credentials = { publicKey: 'a"b\\c, d=é', privateKey: "p" };
  const fake = createFakeAtlas({ credentials });
  const it = signed(credentials, { nonce: await newNonce(fake) });
  const name = Buffer.from('a\\"b\\\\c, d=é').toString("latin1");
  const Authorization =
    `DIGEST  response=${responseOf(it)} ,NC="00000001",cnonce=0a4f113b,Qop = "auth",unknown="a, b",` +
    `uri="/api/atlas/v2/",\tnonce="${it.nonce}",algorithm="MD5",username="${name}",realm="MMS\\ Public API"`;
  const response = await fake(`${V2}/`, { headers: { Accept: ACCEPT, Authorization } });
  assert.equal(response.status, 200);
});

test("createFakeAtlas() takes each count of a nonce once, in any order", async () => {
  const fake = createFakeAtlas();
  const nonce = await newNonce(fake);
  const send = (nc: string, uri = "/api/atlas/v2/") => {
    const Authorization = authorization(signed(fake.credentials, { nonce, nc, uri }));
    return fake(ORIGIN + uri, { headers: { Accept: ACCEPT, Authorization } });
  };
  for (const nc of ["00000003", "00000001", "00000400"]) assert.equal((await send(nc)).status, 200);
  assert.equal((await send("00000002", "/api/atlas/v2/groups")).status, 200);
  assert.equal(challengeOf(await send("00000003")).stale, "false");
  assert.equal(challengeOf(await send("00000001", "/api/atlas/v2/groups")).stale, "false");
  // A wrong password uses a count up.
  const wrong = { nonce, nc: "00000005", password: "wrong" };
  const Authorization = authorization(signed(fake.credentials, wrong));
  challengeOf(await fake(`${V2}/`, { headers: { Authorization } }));
  assert.equal(challengeOf(await send("00000005")).stale, "false");
  assert.equal(challengeOf(await send("00000401")).stale, "true");
});

test("createFakeAtlas() keeps many nonces alive at once", async () => {
  const fake = createFakeAtlas();
  const nonces = await Promise.all(Array.from({ length: 200 }, () => newNonce(fake)));
  const statuses = async (nc: string) => {
    const responses = nonces.map((nonce) => {
      const Authorization = authorization(signed(fake.credentials, { nonce, nc }));
      return fake(`${V2}/`, { headers: { Accept: ACCEPT, Authorization } });
    });
    return [...new Set((await Promise.all(responses)).map(({ status }) => status))];
  };
  assert.deepEqual(await statuses("00000001"), [200]);
  assert.deepEqual(await statuses("00000001"), [401]);
  assert.deepEqual(await statuses("00000002"), [200]);
});

test("createFakeAtlas() calls a nonce stale that is unknown, expired or used up", async () => {
  const stale = async (fake: FakeAtlas, changes: Partial<Signed>) => {
    const Authorization = authorization(signed(fake.credentials, changes));
    const response = await fake(`${V2}/`, { headers: { Accept: ACCEPT, Authorization } });
    return response.status === 200 ? "200" : challengeOf(response).stale;
  };
  await withClock(async (forward) => {
    const fake = createFakeAtlas({ nonceUses: 2 });
    // Even with a wrong password, as Jetty does.
    assert.equal(await stale(fake, { nonce: "A".repeat(32), password: "wrong" }), "true");

    const nonce = await newNonce(fake);
    assert.equal(await stale(fake, { nonce, nc: "00000001" }), "200");
    assert.equal(await stale(fake, { nonce, nc: "00000003" }), "true");
    assert.equal(await stale(fake, { nonce, nc: "ffffffff" }), "true");
    forward(59_999);
    const later = await newNonce(fake);
    assert.equal(await stale(fake, { nonce, nc: "00000002" }), "200");
    forward(1);
    assert.equal(await stale(fake, { nonce }), "true");
    // By now it is forgotten, too, and the later one is not.
    assert.equal(await stale(fake, { nonce }), "true");
    assert.equal(await stale(fake, { nonce: later }), "200");

    const short = createFakeAtlas({ nonceLifetime: 300 });
    const old = await newNonce(short);
    forward(300);
    assert.equal(await stale(short, { nonce: old }), "true");
    const never = createFakeAtlas({ nonceLifetime: 0 });
    assert.equal(await stale(never, { nonce: await newNonce(never) }), "true");
  });
});
