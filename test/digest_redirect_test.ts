import assert from "node:assert/strict";
import type { IncomingHttpHeaders } from "node:http";
import { test } from "node:test";
import { createDigestFetch } from "../lib/digest/digest_fetch.ts";
import { ada, BASE, client } from "./digest_client.ts";
import { createDigestServer, type Rules, servingDigest } from "./digest_server.ts";
import { serving } from "./serving.ts";
import { streamOf } from "./stream.ts";

test("createDigestFetch() signs each redirect on the same origin for its own URI", async () => {
  const server = createDigestServer({
    answer: ({ uri }) =>
      uri === "/last"
        ? new Response("there")
        : new Response(null, { status: 302, headers: { location: uri === "/" ? "/next?a=b" : "last#top" } }),
  });
  const response = await client(server)(BASE);
  assert.equal(await response.text(), "there");
  assert.equal(response.redirected, true);
  assert.deepEqual(server.seen.map(({ uri, credentials }) => [uri, credentials?.uri]), [
    ["/", undefined],
    ["/", "/"],
    ["/next?a=b", "/next?a=b"],
    ["/last", "/last"],
  ]);
});

test("createDigestFetch() changes method and body over redirects as fetch does", async () => {
  for (const status of [301, 302, 303, 307, 308]) {
    for (const method of ["POST", "PUT", "DELETE", "HEAD", "GET"]) {
      const rules = {
        answer: ({ uri }: { uri: string }) =>
          uri === "/to" ? new Response() : new Response(null, { status, headers: { location: "/to" } }),
      };
      const init = {
        method,
        headers: { "content-type": "text/x", "content-language": "en", "x-a": "b" },
        ...(/^P/.test(method) && { body: "body" }),
      };
      const server = createDigestServer(rules);
      await client(server)(BASE, init);
      const ours = server.seen.at(-1);
      // The native fetch, over a real connection and with the door open.
      await servingDigest({ open: rules.answer }, async ({ url, seen }) => {
        await fetch(url, init);
        const native = seen.at(-1);
        assert.deepEqual([ours?.method, ours?.body], [native?.method, native?.body], `${status} ${method}`);
        for (const name of ["content-type", "content-language", "x-a"]) {
          assert.equal(ours?.headers.get(name), native?.headers.get(name), `${status} ${method} ${name}`);
        }
      });
    }
  }
});

test("createDigestFetch() goes unsigned to another origin, even back again", async () => {
  const away: IncomingHttpHeaders[] = [];
  let homeUrl = "";
  await serving((request, response) => {
    away.push(request.headers);
    response.writeHead(307, { location: `${homeUrl}/back` }).end();
  }, (awayUrl) => {
    const leave = () => new Response(null, { status: 307, headers: { location: `${awayUrl}/away` } });
    const answer: Rules["answer"] = ({ uri }) => uri === "/" ? leave() : new Response("home");
    return servingDigest({ answer }, async ({ url, seen }) => {
      homeUrl = url;
      const response = await createDigestFetch(ada)(url, { headers: { cookie: "a=b", "x-kept": "1" } });
      assert.equal(response.status, 401); // of the home server: the native fetch is not signed in
      assert.equal(response.redirected, true);
      const signed = seen.map(({ uri, credentials }) => [uri, credentials !== undefined]);
      assert.deepEqual(signed, [["/", false], ["/", true], ["/back", false]]);
      const kept = away.map((headers) => [headers.authorization, headers.cookie, headers["x-kept"]]);
      assert.deepEqual(kept, [[undefined, undefined, "1"]]);
    });
  });
});

test("createDigestFetch() follows 20 redirects and no more", async () => {
  const rules = (most: number): Rules => ({
    answer: ({ uri }) =>
      Number(uri.slice(1)) < most
        ? new Response(null, { status: 302, headers: { location: `/${Number(uri.slice(1)) + 1}` } })
        : new Response("end"),
  });
  assert.equal((await client(createDigestServer(rules(20)))(`${BASE}/0`)).status, 200);
  await assert.rejects(
    client(createDigestServer(rules(21)))(`${BASE}/0`),
    /^TypeError: Cannot follow more than 20 redirects$/,
  );
});

test("createDigestFetch() refuses a Location that is no HTTP URL or holds credentials", async () => {
  for (const location of ["http://", "ftp://example.com/", "data:text/plain,x", "http://user:pass@digest.example/"]) {
    const server = createDigestServer({ answer: () => new Response(null, { status: 302, headers: { location } }) });
    await assert.rejects(
      client(server)(BASE),
      (error: unknown) => error instanceof TypeError && !/pass@/.test(error.message),
    );
    assert.equal(server.seen.length, 2);
  }
});

test("createDigestFetch() leaves redirects to the caller with manual and to fetch with error", async () => {
  const answer = () => new Response(null, { status: 302, headers: { location: "/to" } });
  await servingDigest({ answer }, async ({ url, seen }) => {
    const fetch = createDigestFetch(ada);
    const response = await fetch(url, { redirect: "manual" });
    assert.equal(response.status, 302);
    assert.equal(response.headers.get("location"), "/to");
    assert.equal(seen.length, 2);
    await assert.rejects(fetch(url, { redirect: "error" }), TypeError);
    assert.equal(seen.length, 3);
  });
});

test("createDigestFetch() returns a redirect without Location, and statuses that are none", async () => {
  for (const status of [302, 304, 300]) {
    const server = createDigestServer({
      answer: () => new Response(null, { status, headers: status === 302 ? {} : { location: "/to" } }),
    });
    const response = await client(server)(BASE);
    assert.equal(response.status, status);
    assert.equal(response.redirected, false);
  }
});

test("createDigestFetch() refuses to follow a redirect that would need a stream again", async () => {
  for (const [status, method] of [[301, "POST"], [302, "POST"], [307, "POST"], [308, "POST"], [302, "PUT"]] as const) {
    const server = createDigestServer({ answer: () => new Response(null, { status, headers: { location: "/to" } }) });
    await assert.rejects(client(server)(BASE, { method, body: streamOf("abc") }), (error: unknown) => {
      return error instanceof TypeError && /stream/.test(error.message) && error.message.includes(`${BASE}/to`);
    });
    assert.equal(server.seen.filter(({ body }) => body !== "").length, 1);
  }
  const server = createDigestServer({
    answer: ({ uri }) => new Response(null, uri === "/to" ? {} : { status: 303, headers: { location: "/to" } }),
  });
  assert.equal((await client(server)(BASE, { method: "POST", body: streamOf("abc") })).status, 200);
});

test("createDigestFetch() follows a Location in UTF-8 as fetch does", async () => {
  const server = createDigestServer({
    answer: ({ uri }) => {
      const location = Buffer.from("/ü").toString("latin1");
      return uri === "/" ? new Response(null, { status: 302, headers: { location } }) : new Response(uri);
    },
  });
  assert.equal(await (await client(server)(BASE)).text(), "/%C3%BC");
});

test("createDigestFetch() returns a response that cannot be marked as redirected", async () => {
  const server = createDigestServer({
    answer: ({ uri }) => new Response(null, uri === "/to" ? {} : { status: 302, headers: { location: "/to" } }),
  });
  const close = "Deno" in globalThis ? Object.seal : Object.freeze; // Deno cannot read the headers of a frozen one
  const fetch = client({ fetch: async (input, init) => close(await server.fetch(input, init)) });
  const response = await fetch(BASE);
  assert.equal(response.status, 200);
  assert.equal(server.seen.at(-1)?.uri, "/to");
});
