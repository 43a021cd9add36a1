import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { inspect } from "node:util";
import { createTokenSource } from "../lib/token_source.ts";
import { withClock } from "./clock.ts";
import { createGate } from "./gate.ts";
import { clientId, clientSecret, createDesk, minted, TOKEN_URL } from "./token_desk.ts";

function basicOf(init: RequestInit | undefined): string {
  const [scheme, value] = (new Headers(init?.headers).get("authorization") ?? "").split(" ");
  assert.equal(scheme, "Basic");
  return Buffer.from(value ?? "", "base64").toString("utf8");
}

test("createTokenSource() asks as RFC 6749 section 4.4 and Atlas want it", async () => {
  const desk = createDesk();
  assert.equal(await createTokenSource({ clientId, clientSecret, fetch: desk.fetch })(), "t1");
  const [mint] = desk.sent;
  assert.equal(mint?.url, TOKEN_URL);
  assert.equal(mint.init.method, "POST");
  assert.equal(mint.init.body, "grant_type=client_credentials");
  assert.equal(mint.init.redirect, "manual");
  assert.equal(mint.init.signal?.aborted, false); // its own: all calls wait for it
  const headers = new Headers(mint.init.headers);
  assert.equal(headers.get("content-type"), "application/x-www-form-urlencoded");
  assert.equal(headers.get("accept"), "application/json");
});

test("createTokenSource() sends id and secret as raw UTF-8, nothing percent-encoded", async () => {
  for (const secret of ["mdb_sa_sk_under_score", "a:b%_+ /=", "pässwörd €☃ 𝄞"]) {
    const desk = createDesk();
    await createTokenSource({ clientId, clientSecret: secret, fetch: desk.fetch })();
    assert.equal(basicOf(desk.sent[0]?.init), `${clientId}:${secret}`);
  }
});

test("createTokenSource() takes a token URL as a string or a URL, and http: on loopback only", async () => {
  for (
    const tokenUrl of [
      "https://cloud.mongodbgov.com/api/oauth/token",
      new URL("https://cloud.mongodb.com/x"),
      "http://127.0.0.1:8080/token",
      "http://localhost/token",
      "http://atlas.localhost/token",
      "http://[::1]:1234/token",
    ]
  ) {
    const desk = createDesk();
    await createTokenSource({ clientId, clientSecret, tokenUrl, fetch: desk.fetch })();
    assert.equal(desk.sent[0]?.url, String(tokenUrl));
  }
  for (
    const tokenUrl of [
      "http://cloud.mongodb.com/api/oauth/token",
      "http://127.0.0.1.evil.example/",
      "http://localhost.evil.example/",
      "http://evil.example/?127.0.0.1",
      "http://128.0.0.1/",
      "ftp://127.0.0.1/token",
      "/api/oauth/token",
      "https://user:hunter2@cloud.mongodb.com/api/oauth/token",
      "",
    ]
  ) {
    const make = () => createTokenSource({ clientId, clientSecret, tokenUrl });
    assert.throws(make, (error) => error instanceof TypeError && !inspect(error).includes("hunter2"), tokenUrl);
  }
});

test("createTokenSource() refuses credentials that Basic cannot carry, and does not show them", () => {
  for (
    const [id, secret] of [
      ["mdb:sa", clientSecret],
      ["", clientSecret],
      [clientId, ""],
      ["id\r\nX: y", clientSecret],
      [clientId, "hidden\nX: y"],
      [clientId, "hidden\r"],
      [clientId, "hidden\0"],
    ] as const
  ) {
    assert.throws(
      () => createTokenSource({ clientId: id, clientSecret: secret }),
      (error) => error instanceof TypeError && !inspect(error).includes("hidden"),
    );
  }
});

test("createTokenSource() looks the global fetch up at each mint", async () => {
  const original = globalThis.fetch;
  const token = createTokenSource({ clientId, clientSecret });
  const desk = createDesk();
  globalThis.fetch = desk.fetch;
  try {
    assert.equal(await token(), "t1");
  } finally {
    globalThis.fetch = original;
  }
});

test("createTokenSource() has one mint in flight however many calls wait, and keeps its token", async () => {
  const gate = createGate();
  const desk = createDesk(async (count) => {
    await gate.opened;
    return minted(`t${count}`);
  });
  const token = createTokenSource({ clientId, clientSecret, fetch: desk.fetch });
  const waiting = Promise.all(Array.from({ length: 100 }, () => token()));
  await turn();
  gate.open();
  assert.deepEqual(new Set(await waiting), new Set(["t1"]));
  assert.equal(await token(), "t1");
  assert.equal(desk.sent.length, 1);
});

test("createTokenSource() renews 60 s before the end, once for all who ask", () =>
  withClock(async (clock) => {
    const desk = createDesk();
    const token = createTokenSource({ clientId, clientSecret, fetch: desk.fetch });
    assert.equal(await token(), "t1");
    clock.now += 3_539_999;
    assert.equal(await token(), "t1");
    clock.now += 1;
    const tokens = await Promise.all([token(), token(), token()]);
    assert.deepEqual(tokens, ["t2", "t2", "t2"]);
    assert.equal(desk.sent.length, 2);
  }));

test("createTokenSource() counts the lifetime from when it asked", () =>
  withClock(async (clock) => {
    const desk = createDesk((count) => {
      clock.now += 10_000; // a slow endpoint
      return minted(`t${count}`);
    });
    const token = createTokenSource({ clientId, clientSecret, fetch: desk.fetch });
    await token();
    clock.now += 3_529_999;
    assert.equal(await token(), "t1");
    clock.now += 1;
    assert.equal(await token(), "t2");
  }));

test("createTokenSource() hands out a token that ends within 60 s to those who waited for it only", async () => {
  const desk = createDesk((count) => minted(`t${count}`, { expires_in: 60 }));
  const token = createTokenSource({ clientId, clientSecret, fetch: desk.fetch });
  assert.deepEqual(await Promise.all([token(), token()]), ["t1", "t1"]);
  assert.equal(await token(), "t2");
});

test("createTokenSource() takes an hour where expires_in is missing or makes no sense", async () => {
  const day = new Map<unknown, number>([["86400", 86_400], [7200.9, 7200.9]]);
  for (const expires_in of [undefined, null, "soon", {}, 1e308, 1e300, "9".repeat(400), "Infinity", ...day.keys()]) {
    await withClock(async (clock) => {
      const desk = createDesk((count) => minted(`t${count}`, { expires_in }));
      const token = createTokenSource({ clientId, clientSecret, fetch: desk.fetch });
      const ms = (day.get(expires_in) ?? 3600) * 1000;
      await token();
      clock.now += Math.ceil(ms) - 60_001;
      assert.equal(await token(), "t1", inspect(expires_in));
      clock.now += 1;
      assert.equal(await token(), "t2", inspect(expires_in));
    });
  }
  const desk = createDesk(() => new Response('{ "access_token": "t", "expires_in": 1e400 }'));
  const token = createTokenSource({ clientId, clientSecret, fetch: desk.fetch });
  await token();
  await token();
  assert.equal(desk.sent.length, 1);
});

test("createTokenSource() does not keep a token that is over when it comes", async () => {
  const desk = createDesk((count) => minted(`t${count}`, { expires_in: -5 }));
  const token = createTokenSource({ clientId, clientSecret, fetch: desk.fetch });
  assert.deepEqual([await token(), await token()], ["t1", "t2"]);
});

test("createTokenSource() says what is missing when it is made", () => {
  const none: Parameters<typeof createTokenSource> = JSON.parse("[null]");
  assert.throws(
    () => createTokenSource(...none),
    /^TypeError: Cannot authenticate: clientId is missing, or is no string$/,
  );
  const half: { clientId: string; clientSecret: string } = JSON.parse(`{ "clientId": "${clientId}" }`);
  assert.throws(() => createTokenSource(half), /^TypeError: Cannot authenticate: clientSecret is missing/);
});
