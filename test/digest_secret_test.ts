import assert from "node:assert/strict";
import { test } from "node:test";
import { inspect } from "node:util";
import { createDigestFetch } from "../lib/digest/digest_fetch.ts";
import { BASE, client } from "./digest_client.ts";
import { createDigestServer } from "./digest_server.ts";

test("createDigestFetch() refuses a caller's Authorization header before anything is sent", async () => {
  const server = createDigestServer();
  const message = /Authorization header.*Remove it/;
  for (const headers of [{ AUTHORIZATION: "Basic eA==" }, new Headers({ authorization: "x" })]) {
    await assert.rejects(client(server)(BASE, { headers }), (error: unknown) => {
      return error instanceof TypeError && message.test(error.message) && !error.message.includes("eA==");
    });
  }
  await assert.rejects(client(server)(new Request(BASE, { headers: { authorization: "x" } })), TypeError);
  assert.equal(server.seen.length, 0);
});

test("createDigestFetch() refuses credentials with CR, LF or NUL, and what is no string, when it is made", () => {
  const missing: { username: string; password: string } = JSON.parse("{}");
  const none: Parameters<typeof createDigestFetch> = JSON.parse("[null]");
  for (const make of [() => createDigestFetch(missing), () => createDigestFetch(...none)]) {
    assert.throws(make, /^TypeError: Cannot authenticate: username is missing, or is no string$/);
  }
  for (const bad of ["\r", "\n", "\0"]) {
    assert.throws(() => createDigestFetch({ username: `a${bad}`, password: "p" }), /^TypeError: .*username/);
    assert.throws(() => createDigestFetch({ username: "a", password: `sekret${bad}` }), (error: unknown) => {
      return error instanceof TypeError && /password/.test(error.message) && !/sekret/.test(inspect(error));
    });
  }
});

test("createDigestFetch() shows no credentials", async () => {
  const server = createDigestServer();
  const fetch = client(server, "sekret");
  await fetch(BASE);
  assert.ok(!inspect(fetch, { depth: 9, showHidden: true }).includes("sekret"));
  assert.equal(JSON.stringify(fetch), undefined);
});

test("createDigestFetch() shows no value of a header that cannot be sent", async () => {
  const headers = { authorization: "Bearer sekret\nx" };
  await assert.rejects(client(createDigestServer())(BASE, { headers }), (error: unknown) => {
    return error instanceof TypeError && !inspect(error, { showHidden: true }).includes("sekret");
  });
});
