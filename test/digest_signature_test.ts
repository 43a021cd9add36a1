import assert from "node:assert/strict";
import { test } from "node:test";
import { createDigestFetch } from "../lib/digest/digest_fetch.ts";
import { ada, BASE, client } from "./digest_client.ts";
import { createDigestServer, servingDigest } from "./digest_server.ts";

const isBun = "Bun" in globalThis;

for (const algorithm of [undefined, "MD5", "SHA-256", "SHA-512-256", "MD5-sess", "SHA-256-sess", "SHA-512-256-sess"]) {
  for (const qop of [null, "auth", "auth-int", "auth,auth-int"]) {
    test(`createDigestFetch() signs ${algorithm ?? "no algorithm"} with ${qop ?? "no qop"}`, async () => {
      const server = createDigestServer({
        algorithm,
        qop,
        opaque: "o=",
        realm: "a, b",
        answer: ({ body }) => new Response(body),
      });
      const fetch = client(server);
      for (const body of ["", "naïve", "{}"]) {
        const response = await fetch(`${BASE}/a?b=c`, { method: "POST", body });
        assert.equal(response.status, 200);
        assert.equal(await response.text(), body);
      }
      assert.equal(server.seen.length, 4);
    });
  }
}

test("createDigestFetch() answers userhash", async () => {
  const server = createDigestServer({ userhash: true, algorithm: "SHA-256" });
  assert.equal((await client(server)(BASE)).status, 200);
});

test("createDigestFetch() signs the request target as it goes over the wire", async () => {
  const fetch = createDigestFetch(ada);
  const targets = [
    "/",
    "",
    "/?",
    "/p?",
    "/p?#f",
    "/p#f?x",
    "/a%2Fb%20c?d=e%26f",
    "/ä/名?q=ö,\"'&r=<>",
    '/a,b?c="d"',
    "/x?a\\b",
    ...(isBun ? [] : ["//a"]), // which Bun sends as /a: README says so
    "/lineItems:search?a=1&a=2&",
    "/p?q=?&",
    "/p?q=why?",
    "/p??",
    "/p?q=?#f?",
  ];
  await servingDigest({ answer: ({ uri }) => new Response(uri) }, async ({ url, seen }) => {
    for (const target of targets) {
      const response = await fetch(url + target);
      assert.equal(response.status, 200, target);
      const wanted = new URL(url + target);
      assert.equal(await response.text(), wanted.pathname + wanted.search);
    }
    assert.equal(seen.length, targets.length + 1);
  });
});

test("createDigestFetch() signs the method exactly as it is sent", async () => {
  await servingDigest({}, async ({ url }) => {
    const fetch = createDigestFetch(ada);
    for (const method of ["get", "Post", "PUT", "delete", "PATCH", "OPTIONS", "PROPFIND", "HEAD"]) {
      assert.equal((await fetch(url, { method })).status, 200, method);
    }
  });
  // node:http takes no other case on the wire; runtimes differ in what they send.
  const inMemory = createDigestServer();
  for (const method of ["patch", "Patch", "mkcol"]) {
    assert.equal((await client(inMemory)(BASE, { method })).status, 200, method);
    assert.equal(inMemory.seen.at(-1)?.method, new Request(BASE, { method }).method);
  }
});

test("createDigestFetch() signs for user names of every kind", async () => {
  for (const username of ['a"b\\c', "Jäsøn", "名前", "a:b c", ""]) {
    await servingDigest({ username }, async ({ url }) => {
      assert.equal((await createDigestFetch({ ...ada, username })(url)).status, 200, username);
    });
  }
});

test("createDigestFetch() hashes Blob and bytes for auth-int", async () => {
  const server = createDigestServer({ qop: "auth-int" });
  for (const body of [new Blob(["blob"]), new TextEncoder().encode("bytes"), null]) {
    assert.equal((await client(server)(BASE, { method: "POST", body })).status, 200);
  }
});
