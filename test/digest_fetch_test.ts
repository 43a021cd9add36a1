import assert from "node:assert/strict";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { inspect } from "node:util";
import { createDigestFetch } from "../lib/digest/digest_fetch.ts";
import { createDigestServer, type DigestServer, type Rules } from "./digest_server.ts";

const BASE = "http://digest.example";
const isBun = "Bun" in globalThis;
const isNode = !("Deno" in globalThis) && !isBun;

function client(server: DigestServer, password = "lovelace", username = "ada") {
  return createDigestFetch({ username, password, fetch: server.fetch });
}

/** Its 401s reach the client changed. */
function clientOfChanged(server: DigestServer, change: (refused: Response) => Response | Promise<Response>) {
  return createDigestFetch({
    username: "ada",
    password: "lovelace",
    fetch: async (input, init) => {
      const response = await server.fetch(input, init);
      return response.status === 401 ? await change(response) : response;
    },
  });
}

/** A server with qop auth, as most are. */
function createServerWith(rules: Rules = {}): DigestServer {
  return createDigestServer({ qop: "auth", ...rules });
}

function counts({ seen }: DigestServer): (string | undefined)[] {
  return seen.map(({ credentials }) => credentials?.nc);
}

/** A node:http server for a test, with the connections it was given. */
async function listen(handler: (request: IncomingMessage, response: ServerResponse) => void) {
  let connections = 0;
  const server = createServer(handler);
  server.on("connection", () => connections++);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    connections: () => connections,
    close() {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(resolve));
    },
  };
}

/** Puts a Digest server of the tests behind node:http. */
async function serve(rules: Rules = {}) {
  const digest = createServerWith(rules);
  const http = await listen(async (request, response) => {
    const chunks: Uint8Array[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const headers = Object.entries(request.headers).map(([name, value]): [string, string] => [name, String(value)]);
    const method = request.method ?? "GET";
    const answer = await digest.fetch(`http://${request.headers.host}${request.url}`, {
      method,
      headers,
      ...(method !== "GET" && method !== "HEAD" && { body: Buffer.concat(chunks) }),
    });
    response.writeHead(answer.status, Object.fromEntries(answer.headers));
    response.end(new Uint8Array(await answer.arrayBuffer()));
  });
  return { ...digest, ...http };
}

function streamOf(...chunks: string[]): ReadableStream<Uint8Array> {
  return new ReadableStream({
    start(controller) {
      for (const chunk of chunks) controller.enqueue(new TextEncoder().encode(chunk));
      controller.close();
    },
  });
}

// Promise 7 -----------------------------------------------------------------------------------------------------------

test("createDigestFetch() takes two requests for the first call and one for each after", async () => {
  const server = createServerWith();
  const fetch = client(server);
  for (let call = 0; call < 10; call++) assert.equal(await (await fetch(`${BASE}/a`)).text(), "welcome");
  assert.equal(server.seen.length, 11);
  assert.deepEqual(counts(server).slice(0, 4), [undefined, "00000001", "00000002", "00000003"]);
  assert.equal(new Set(server.seen.slice(1).map(({ credentials }) => credentials?.cnonce)).size, 1);
});

for (const algorithm of [undefined, "MD5", "SHA-256", "SHA-512-256", "MD5-sess", "SHA-256-sess", "SHA-512-256-sess"]) {
  for (const qop of [undefined, "auth", "auth-int", "auth,auth-int"]) {
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
  const server = createServerWith({ userhash: true, algorithm: "SHA-256" });
  assert.equal((await client(server)(BASE)).status, 200);
});

test("createDigestFetch() uses no number twice in 64 parallel warm calls", async () => {
  const server = createServerWith();
  const fetch = client(server);
  await fetch(BASE);
  const responses = await Promise.all(Array.from({ length: 64 }, () => fetch(BASE)));
  assert.ok(responses.every(({ status }) => status === 200));
  assert.equal(server.seen.length, 66);
  assert.equal(new Set(counts(server).slice(1)).size, 65);
});

test("createDigestFetch() lets parallel cold calls take a challenge each", async () => {
  const server = createServerWith();
  const fetch = client(server);
  await Promise.all([fetch(BASE), fetch(BASE), fetch(BASE), fetch(BASE)]);
  assert.equal(server.seen.length, 8);
  await fetch(BASE);
  assert.equal(server.seen.length, 9);
});

test("createDigestFetch() gets over a nonce that was used up, said stale or not", async () => {
  for (const how of ["stale", "bare"] as const) {
    const server = createServerWith({ refuses: ({ uses }) => uses >= 5 ? how : undefined });
    const fetch = client(server);
    for (let call = 0; call < 20; call++) assert.equal((await fetch(BASE)).status, 200);
    assert.equal(server.seen.length, 20 + 4, how);
  }
});

test("createDigestFetch() gets over a restart of the server, which knows no nonce", async () => {
  const server = createServerWith();
  const fetch = client(server);
  await fetch(BASE);
  server.nonces.clear();
  assert.equal((await fetch(BASE)).status, 200);
  assert.equal(server.seen.length, 4);
});

test("createDigestFetch() tries a wrong password once a call", async () => {
  const server = createServerWith();
  const fetch = client(server, "wrong");
  for (let call = 1; call <= 3; call++) {
    const response = await fetch(BASE);
    assert.equal(response.status, 401);
    assert.equal(response.bodyUsed, false);
    assert.equal(await response.text(), "who are you?");
    assert.equal(server.seen.length, call * 2);
  }
  assert.equal(counts(server).filter((nc) => nc !== undefined).length, 3);
});

test("createDigestFetch() signs twice, then once a call, when the password was changed", async () => {
  const rules: Rules = { password: "lovelace" };
  const server = createServerWith(rules);
  const fetch = client(server);
  await fetch(BASE);
  const changed = createServerWith({ password: "other" });
  const both = createDigestFetch({
    username: "ada",
    password: "lovelace",
    fetch: (input, init) => (server.seen.length < 2 ? server : changed).fetch(input, init),
  });
  await both(BASE);
  const signed = () => counts(changed).filter((nc) => nc !== undefined).length;
  assert.equal((await both(BASE)).status, 401);
  const afterFirst = signed();
  assert.ok(afterFirst <= 2);
  assert.equal((await both(BASE)).status, 401);
  assert.equal(signed(), afterFirst + 1);
});

test("createDigestFetch() asks at most six times where every nonce is stale", async () => {
  const server = createServerWith({ refuses: () => "stale" });
  const fetch = client(server);
  assert.equal((await fetch(BASE)).status, 401);
  assert.equal(server.seen.length, 6);
  assert.equal((await fetch(BASE)).status, 401);
  assert.equal(server.seen.length, 12);
});

test("createDigestFetch() asks at most six times with a large body too", async () => {
  const server = createServerWith({
    refuses: () => "stale",
    open: ({ method }) => method === "GET" ? new Response() : undefined,
  });
  assert.equal((await client(server)(BASE, { method: "POST", body: "x".repeat(20_000) })).status, 401);
  assert.equal(server.seen.length, 6);
});

test("createDigestFetch() gets through a balancer whose nodes share no nonces", async () => {
  const nodes = [createServerWith({ refuses: () => undefined }), createServerWith()];
  const unknown = nodes.map((node) => ({
    ...node,
    fetch: async (input: string | URL | Request, init?: RequestInit) => {
      const response = await node.fetch(input, init);
      return response;
    },
  }));
  let request = 0;
  // Each node in turn, two requests at a time: a nonce of one is asked of the other again and again.
  const fetch = createDigestFetch({
    username: "ada",
    password: "lovelace",
    fetch: (input, init) => (unknown[Math.floor(request++ / 2) % 2] ?? unknown[0])!.fetch(input, init),
  });
  for (let call = 0; call < 40; call++) assert.equal((await fetch(BASE)).status, 200);
  assert.ok(request <= 40 * 3);
});

test("createDigestFetch() keeps the nonce over a 401 without a challenge: a role is missing", async () => {
  const server = createServerWith({
    answer: ({ uri }) => new Response(uri, { status: uri === "/secret" ? 401 : 200 }),
  });
  const fetch = client(server);
  for (const path of ["/secret", "/secret", "/open", "/secret", "/open"]) {
    const response = await fetch(BASE + path);
    assert.equal(response.status, path === "/secret" ? 401 : 200);
    assert.equal(await response.text(), path);
  }
  assert.equal(server.seen.length, 6);
});

test("createDigestFetch() offers a fresh challenge only after a request signed with it was accepted", async () => {
  let release = () => {};
  const held = new Promise<void>((resolve) => release = resolve);
  const server = createServerWith({
    // Wants rising counts, as several servers do.
    refuses: ({ highest }, count) => count <= highest ? "bare" : undefined,
    answer: async ({ uri }) => {
      if (uri === "/slow") await held;
      return new Response("welcome");
    },
  });
  const fetch = client(server);
  const slow = fetch(`${BASE}/slow`);
  await new Promise((resolve) => setTimeout(resolve, 30));
  assert.equal((await fetch(`${BASE}/fast`)).status, 200); // must not borrow the slow one's nonce
  release();
  assert.equal((await slow).status, 200);
  assert.deepEqual(counts(server), [undefined, "00000001", undefined, "00000001"]);
});

test("createDigestFetch() fails no call where counts must rise and answers are reordered", async () => {
  const server = createServerWith({ refuses: ({ highest }, count) => count <= highest ? "bare" : undefined });
  const fetch = createDigestFetch({
    username: "ada",
    password: "lovelace",
    fetch: async (input, init) => {
      await new Promise((resolve) => setTimeout(resolve, Math.random() * 6));
      return await server.fetch(input, init);
    },
  });
  for (let round = 0; round < 10; round++) {
    const responses = await Promise.all(Array.from({ length: 16 }, () => fetch(BASE)));
    assert.deepEqual(responses.map(({ status }) => status).filter((status) => status !== 200), []);
  }
});

// Promise 6: one series per nonce and opaque --------------------------------------------------------------------------

test("createDigestFetch() counts on when the same nonce and opaque are handed out again", async () => {
  const server = createServerWith({
    refuses: ({ uses }, count) => uses + 1 === count ? uses % 3 === 2 ? "bare" : undefined : "bare",
  });
  const nonce = server.newNonce();
  const fetch = createDigestFetch({
    username: "ada",
    password: "lovelace",
    fetch: async (input, init) => {
      const response = await server.fetch(input, init);
      const challenge = `Digest realm="engine", nonce="${nonce}", qop="auth"`;
      return response.status === 401
        ? new Response("", { status: 401, headers: { "www-authenticate": challenge } })
        : response;
    },
  });
  for (let call = 0; call < 8; call++) assert.equal((await fetch(BASE)).status, 200);
  const used = counts(server).filter((nc) => nc !== undefined);
  assert.deepEqual(used, used.map((_nc, index) => (index + 1).toString(16).padStart(8, "0")));
});

test("createDigestFetch() counts each opaque of one nonce by itself, as WEBrick does", async () => {
  const seen: string[] = [];
  let asked = 0;
  const fetch = createDigestFetch({
    username: "ada",
    password: "lovelace",
    fetch: (_input, init) => {
      const authorization = new Headers(init?.headers).get("authorization");
      if (authorization !== null) {
        seen.push(`${/opaque="(.)"/.exec(authorization)?.[1]}${/nc=0*(\d)/.exec(authorization)?.[1]}`);
        if (seen.length % 2 === 1) return Promise.resolve(new Response("ok"));
      }
      const value = `Digest realm="r", nonce="n", opaque="${asked++ % 2 === 0 ? "a" : "b"}", qop="auth"`;
      return Promise.resolve(new Response("", { status: 401, headers: { "www-authenticate": value } }));
    },
  });
  for (let call = 0; call < 4; call++) assert.equal((await fetch(BASE)).status, 200);
  assert.deepEqual(seen, ["a1", "a2", "b1", "b2", "a3", "a4", "b3"]);
});

test("createDigestFetch() remembers the last 64 pairs of nonce and opaque, and no more", async () => {
  const handed: string[] = [];
  const seen = new Map<string, string>();
  const fetch = createDigestFetch({
    username: "ada",
    password: "lovelace",
    fetch: (_input, init) => {
      const authorization = new Headers(init?.headers).get("authorization");
      const [, nonce = ""] = /nonce="(\w+)"/.exec(authorization ?? "") ?? [];
      if (authorization !== null) seen.set(nonce, /nc=(\w+)/.exec(authorization)?.[1] ?? "");
      if (nonce !== "" && nonce === handed.at(-1)) return Promise.resolve(new Response("ok"));
      const next = plan.shift() ?? "";
      handed.push(next);
      return Promise.resolve(
        new Response("", { status: 401, headers: { "www-authenticate": `Digest nonce="${next}", qop="auth"` } }),
      );
    },
  });
  const plan = ["first", ...Array.from({ length: 63 }, (_, index) => `n${index}`), "first", "late", "n0"];
  while (plan.length > 0) {
    handed.push(""); // refuses the kept one
    assert.equal((await fetch(BASE)).status, 200);
  }
  assert.equal(seen.get("first"), "00000004"); // signed, refused, handed out again, refused: one series
  assert.equal(seen.get("n0"), "00000001"); // the 65th back: forgotten
});

test("createDigestFetch() forgets no pair that signs, however many others are handed out meanwhile", async () => {
  const counts: string[] = [];
  let others = 0;
  let refuses = false;
  const challenged = (nonce: string) =>
    Promise.resolve(
      new Response("", { status: 401, headers: { "www-authenticate": `Digest nonce="${nonce}", qop="auth"` } }),
    );
  const fetch = createDigestFetch({
    username: "ada",
    password: "lovelace",
    fetch: (input, init) => {
      const authorization = new Headers(init?.headers).get("authorization") ?? "";
      const [, nonce = ""] = /nonce="(\w+)"/.exec(authorization) ?? [];
      if (nonce === "kept") counts.push(/nc=(\w+)/.exec(authorization)?.[1] ?? "");
      if (nonce.startsWith("other")) return Promise.reject(new TypeError("lost"));
      if (String(input).endsWith("/lost")) return challenged(`other${others++}`);
      if (nonce !== "" && !refuses) return Promise.resolve(new Response("ok"));
      refuses = false;
      return challenged("kept");
    },
  });
  await fetch(BASE);
  for (let call = 0; call < 64; call++) {
    await assert.rejects(fetch(`${BASE}/lost`), TypeError);
    await fetch(BASE);
  }
  refuses = true;
  assert.equal((await fetch(BASE)).status, 200);
  assert.equal(others, 64);
  assert.deepEqual(counts, Array.from({ length: 131 }, (_, count) => (count + 1).toString(16).padStart(8, "0")));
});

// Promise 8 -----------------------------------------------------------------------------------------------------------

test("createDigestFetch() follows nextnonce: one request a call with one-time nonces", async () => {
  const server: DigestServer = createServerWith({
    refuses: ({ uses }) => uses > 0 ? "stale" : undefined,
    nextNonce: () => server.newNonce(),
  });
  const fetch = client(server);
  for (let call = 0; call < 10; call++) assert.equal((await fetch(BASE)).status, 200);
  assert.equal(server.seen.length, 11);
  assert.ok(counts(server).slice(1).every((nc) => nc === "00000001"));
});

test("createDigestFetch() passes over an Authentication-Info without nextnonce", async () => {
  const server = createServerWith({
    answer: () => new Response("", { headers: { "authentication-info": 'rspauth="x", qop=auth' } }),
  });
  const fetch = client(server);
  await fetch(BASE);
  await fetch(BASE);
  assert.deepEqual(counts(server), [undefined, "00000001", "00000002"]);
});

// Promise 3 -----------------------------------------------------------------------------------------------------------

test("createDigestFetch() signs the request target as it goes over the wire", async () => {
  const server = await serve({ answer: ({ uri }) => new Response(uri) });
  const fetch = createDigestFetch({ username: "ada", password: "lovelace" });
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
  for (const target of targets) {
    const response = await fetch(server.url + target);
    assert.equal(response.status, 200, target);
    const wanted = new URL(server.url + target);
    assert.equal(await response.text(), wanted.pathname + wanted.search);
  }
  assert.equal(server.seen.length, targets.length + 1);
  await server.close();
});

test("createDigestFetch() signs the method exactly as it is sent", async () => {
  const server = await serve({ answer: ({ method }) => new Response(method) });
  const fetch = createDigestFetch({ username: "ada", password: "lovelace" });
  for (const method of ["get", "Post", "PUT", "delete", "PATCH", "OPTIONS", "PROPFIND"]) {
    assert.equal((await fetch(server.url, { method })).status, 200, method);
  }
  assert.equal((await fetch(server.url, { method: "HEAD" })).status, 200);
  await server.close();
  // node:http takes no other case on the wire; runtimes differ in what they send.
  const inMemory = createServerWith();
  for (const method of ["patch", "Patch", "mkcol"]) {
    assert.equal((await client(inMemory)(BASE, { method })).status, 200, method);
    assert.equal(inMemory.seen.at(-1)?.method, new Request(BASE, { method }).method);
  }
});

// Promise 9 -----------------------------------------------------------------------------------------------------------

test("createDigestFetch() returns a 401 that it cannot answer untouched, and never sends Basic", async () => {
  const challenges = [
    undefined,
    'Basic realm="b"',
    "Negotiate",
    'Digest realm="d"',
    'Digest nonce="n", algorithm=SHA-1',
    'Digest nonce="n", qop="auth-conf"',
  ];
  for (const challenge of challenges) {
    const sent: (string | null)[] = [];
    const unanswerable = new Response("no", {
      status: 401,
      ...(challenge !== undefined && { headers: { "www-authenticate": challenge } }),
    });
    const fetch = createDigestFetch({
      username: "ada",
      password: "lovelace",
      fetch: (_input, init) => {
        sent.push(new Headers(init?.headers).get("authorization"));
        return Promise.resolve(unanswerable);
      },
    });
    assert.equal(await fetch(BASE), unanswerable);
    assert.equal(unanswerable.bodyUsed, false);
    assert.deepEqual(sent, [null]);
  }
});

test("createDigestFetch() keeps nothing of a fresh nonce refused with another scheme", async () => {
  const server = createServerWith({
    answer: () => new Response("", { status: 401, headers: { "www-authenticate": "Basic" } }),
  });
  const fetch = client(server);
  await fetch(BASE);
  await fetch(BASE);
  assert.deepEqual(counts(server), [undefined, "00000001", undefined, "00000001"]);
});

test("createDigestFetch() leaves 407 alone", async () => {
  let sent = 0;
  const fetch = createDigestFetch({
    username: "ada",
    password: "lovelace",
    fetch: () => {
      sent++;
      const headers = { "proxy-authenticate": 'Digest nonce="n", qop="auth"' };
      return Promise.resolve(new Response("", { status: 407, headers }));
    },
  });
  assert.equal((await fetch(BASE)).status, 407);
  assert.equal(sent, 1);
});

test("createDigestFetch() refuses a caller's Authorization header before anything is sent", async () => {
  const server = createServerWith();
  const message = /Authorization header.*Remove it/;
  for (const headers of [{ AUTHORIZATION: "Basic eA==" }, new Headers({ authorization: "x" })]) {
    await assert.rejects(client(server)(BASE, { headers }), (error: unknown) => {
      return error instanceof TypeError && message.test(error.message) && !error.message.includes("eA==");
    });
  }
  await assert.rejects(client(server)(new Request(BASE, { headers: { authorization: "x" } })), TypeError);
  assert.equal(server.seen.length, 0);
});

test("createDigestFetch() keeps the nonces of each origin apart", async () => {
  const server = createServerWith();
  const fetch = client(server);
  await fetch("http://a.example/");
  await fetch("http://b.example/");
  await fetch("http://a.example:8080/");
  await fetch("http://a.example/");
  assert.deepEqual(counts(server).map(Boolean), [false, true, false, true, false, true, true]);
});

// Promise 10 ----------------------------------------------------------------------------------------------------------

test("createDigestFetch() signs each redirect on the same origin for its own URI", async () => {
  const server = createServerWith({
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
      const server = createServerWith(rules);
      await client(server)(BASE, init);
      const ours = server.seen.at(-1);
      // The native fetch, over a real connection and with the door open.
      const http = await serve({ open: rules.answer });
      await fetch(http.url, init);
      const native = http.seen.at(-1);
      assert.deepEqual([ours?.method, ours?.body], [native?.method, native?.body], `${status} ${method}`);
      for (const name of ["content-type", "content-language", "x-a"]) {
        assert.equal(ours?.headers.get(name), native?.headers.get(name), `${status} ${method} ${name}`);
      }
      await http.close();
    }
  }
});

test("createDigestFetch() goes unsigned to another origin, even back again", async () => {
  const home = await serve({
    answer: ({ uri }) =>
      uri === "/"
        ? new Response(null, { status: 307, headers: { location: `${away.url}/away` } })
        : new Response("home"),
  });
  const away: Awaited<ReturnType<typeof listen>> & { headers?: IncomingMessage["headers"] } = await listen(
    (request, response) => {
      away.headers = request.headers;
      response.writeHead(307, { location: `${home.url}/back` }).end();
    },
  );
  const fetch = createDigestFetch({ username: "ada", password: "lovelace" });
  const response = await fetch(home.url, { headers: { cookie: "a=b", "x-kept": "1" } });
  assert.equal(response.status, 401); // of the home server: the native fetch is not signed in
  assert.equal(response.redirected, true);
  assert.equal(away.headers?.authorization, undefined);
  assert.equal(away.headers?.cookie, undefined);
  assert.equal(away.headers?.["x-kept"], "1");
  assert.deepEqual(home.seen.map(({ uri, credentials }) => [uri, credentials !== undefined]), [["/", false], [
    "/",
    true,
  ], ["/back", false]]);
  await home.close();
  await away.close();
});

test("createDigestFetch() follows 20 redirects and no more", async () => {
  const rules = (most: number): Rules => ({
    answer: ({ uri }) =>
      Number(uri.slice(1)) < most
        ? new Response(null, { status: 302, headers: { location: `/${Number(uri.slice(1)) + 1}` } })
        : new Response("end"),
  });
  assert.equal((await client(createServerWith(rules(20)))(`${BASE}/0`)).status, 200);
  await assert.rejects(
    client(createServerWith(rules(21)))(`${BASE}/0`),
    /^TypeError: Cannot follow more than 20 redirects$/,
  );
});

test("createDigestFetch() refuses a Location that is no HTTP URL or holds credentials", async () => {
  for (const location of ["http://", "ftp://example.com/", "data:text/plain,x", "http://user:pass@digest.example/"]) {
    const server = createServerWith({ answer: () => new Response(null, { status: 302, headers: { location } }) });
    await assert.rejects(
      client(server)(BASE),
      (error: unknown) => error instanceof TypeError && !/pass@/.test(error.message),
    );
    assert.equal(server.seen.length, 2);
  }
});

test("createDigestFetch() leaves redirects to the caller with manual and to fetch with error", async () => {
  const server = await serve({ answer: () => new Response(null, { status: 302, headers: { location: "/to" } }) });
  const fetch = createDigestFetch({ username: "ada", password: "lovelace" });
  const response = await fetch(server.url, { redirect: "manual" });
  assert.equal(response.status, 302);
  assert.equal(response.headers.get("location"), "/to");
  assert.equal(server.seen.length, 2);
  await assert.rejects(fetch(server.url, { redirect: "error" }), TypeError);
  assert.equal(server.seen.length, 3);
  await server.close();
});

test("createDigestFetch() returns a redirect without Location, and statuses that are none", async () => {
  for (const status of [302, 304, 300]) {
    const server = createServerWith({
      answer: () => new Response(null, { status, headers: status === 302 ? {} : { location: "/to" } }),
    });
    const response = await client(server)(BASE);
    assert.equal(response.status, status);
    assert.equal(response.redirected, false);
  }
});

// Promise 11 ----------------------------------------------------------------------------------------------------------

test("createDigestFetch() takes one connection for a cold call", async (t) => {
  if (!isNode) return t.skip("undici's sockets are Node's; other runtimes pool by themselves");
  const server = await serve();
  const fetch = createDigestFetch({ username: "ada", password: "lovelace" });
  assert.equal(await (await fetch(server.url)).text(), "welcome");
  assert.equal(server.seen.length, 2);
  assert.equal(server.connections(), 1);
  await server.close();
});

test("createDigestFetch() reads at most 64 KiB of a 401 before it goes on", async () => {
  let read = 0;
  let cancelled = false;
  const endless = () =>
    new ReadableStream<Uint8Array>({
      pull: (controller) => {
        read += 1024;
        controller.enqueue(new Uint8Array(1024));
      },
      cancel: () => {
        cancelled = true;
      },
    });
  const server = createServerWith();
  const fetch = clientOfChanged(server, (refused) => new Response(endless(), refused));
  assert.equal((await fetch(BASE)).status, 200);
  assert.ok(cancelled);
  assert.ok(read >= 64 * 1024 && read <= 70 * 1024, String(read));
});

test("createDigestFetch() does not wait for the end of a body that it drops", async () => {
  const away = await listen((_request, response) => response.end("away"));
  const server = await listen((request, response) => {
    request.resume();
    if (request.url === "/open" && request.method === "GET") {
      response.writeHead(200, { "content-type": "text/event-stream" }).write(": hello\n\n");
    } else if (request.url === "/moved" && request.headers.authorization) {
      response.writeHead(302, { location: away.url }).write("moved");
    } else if (request.url === "/open" || request.headers.authorization) {
      response.end("welcome");
    } else {
      response.writeHead(401, { "www-authenticate": 'Digest realm="r", nonce="n", qop="auth"' }).write("x");
    }
  });
  const call = async (path: string, init?: RequestInit) => {
    const fetch = createDigestFetch({ username: "ada", password: "lovelace" });
    return await (await fetch(server.url + path, init)).text();
  };
  const body = "x".repeat(20_000);
  assert.deepEqual(
    await Promise.all([call("/"), call("/moved"), call("/open", { method: "POST", body })]),
    ["welcome", "away", "welcome"],
  );
  await server.close();
  await away.close();
});

test("createDigestFetch() goes on when the fetch that it is given has read the body of a 401", async () => {
  const server = createServerWith();
  const fetch = clientOfChanged(server, async (refused) => {
    assert.equal(typeof await refused.text(), "string");
    return refused;
  });
  assert.equal(await (await fetch(BASE)).text(), "welcome");
});

test("createDigestFetch() goes on when the body of a 401 breaks off", async () => {
  const server = createServerWith();
  const broken = () => new ReadableStream<Uint8Array>({ pull: (controller) => controller.error(new Error("lost")) });
  const fetch = clientOfChanged(server, (refused) => new Response(broken(), refused));
  assert.equal((await fetch(BASE)).status, 200);
});

// Promise 12 ----------------------------------------------------------------------------------------------------------

test("createDigestFetch() sends every kind of body the same each time", async () => {
  const form = new FormData();
  form.set("a", "b");
  form.set("file", new Blob(["content"], { type: "text/x" }), "name.txt");
  const bytes = new TextEncoder().encode("bytes");
  const bodies = [
    "text",
    bytes,
    bytes.buffer,
    new DataView(bytes.buffer, 1, 3),
    new Blob(["blob"], { type: "text/b" }),
    form,
    new URLSearchParams("a=b&c=d"),
  ];
  for (const body of bodies) {
    const seen: [string | null, string][] = [];
    const server = createServerWith({ refuses: ({ uses }) => uses > 0 ? "stale" : undefined });
    const fetch = createDigestFetch({
      username: "ada",
      password: "lovelace",
      fetch: async (input, init) => {
        const request = new Request(input, init);
        seen.push([request.headers.get("content-type"), await request.text()]);
        return await server.fetch(input, init);
      },
    });
    assert.equal((await fetch(BASE, { method: "POST", body })).status, 200);
    assert.equal((await fetch(BASE, { method: "POST", body })).status, 200);
    const [first, second, , third] = seen;
    assert.deepEqual(second, first);
    if (body !== form) assert.deepEqual(third, first); // another call takes another boundary
    const native = new Request(BASE, { method: "POST", body });
    assert.equal(
      first?.[0]?.replace(/boundary=.*/, ""),
      native.headers.get("content-type")?.replace(/boundary=.*/, ""),
    );
    if (body !== form) assert.equal(first?.[1], await native.text());
    else assert.match(first?.[1] ?? "", /name="file"; filename="name.txt"\r\nContent-Type: text\/x\r\n\r\ncontent/);
  }
});

test("createDigestFetch() keeps a caller's Content-Type", async () => {
  const server = createServerWith();
  await client(server)(BASE, {
    method: "POST",
    body: new URLSearchParams("a=b"),
    headers: { "content-type": "text/x" },
  });
  assert.deepEqual(server.seen.map(({ headers }) => headers.get("content-type")), ["text/x", "text/x"]);
});

test("createDigestFetch() sends the bytes of the moment of the call", async () => {
  const server = createServerWith();
  const bytes = new TextEncoder().encode("before");
  const params = new URLSearchParams("a=before");
  const calls = [
    client(server)(BASE, { method: "POST", body: bytes }),
    client(server)(BASE, { method: "POST", body: params }),
  ];
  bytes.fill(120);
  params.set("a", "after");
  await Promise.all(calls);
  assert.deepEqual(server.seen.map(({ body }) => body).sort(), ["a=before", "a=before", "before", "before"]);
});

test("createDigestFetch() refuses a plain object as body", async () => {
  const server = createServerWith();
  for (const body of [{ a: 1 }, [1]]) {
    const init: object = { method: "POST", body };
    await assert.rejects(client(server)(BASE, init), /^TypeError: Cannot send an object as body: use JSON.stringify$/);
  }
  assert.equal(server.seen.length, 0);
});

test("createDigestFetch() asks first with a body over 16 KiB, but only without a nonce", async () => {
  for (const [size, asks] of [[16 * 1024, false], [16 * 1024 + 1, true]] as const) {
    for (const body of ["x".repeat(size), new Uint8Array(size), new Blob(["x".repeat(size)])]) {
      const server = createServerWith();
      const fetch = client(server);
      const headers = {
        "X-A": "b",
        "Content-Type": "text/x",
        "Content-Encoding": "gzip",
        "If-Match": "e",
        Range: "bytes=0-1",
        Accept: "x/y",
      };
      assert.equal((await fetch(`${BASE}/a?b`, { method: "POST", body, headers })).status, 200);
      assert.equal((await fetch(`${BASE}/a?b`, { method: "POST", body, headers })).status, 200);
      assert.deepEqual(server.seen.map(({ method }) => method), [asks ? "GET" : "POST", "POST", "POST"]);
      const [first] = server.seen;
      assert.equal(first?.uri, "/a?b");
      if (!asks) continue;
      assert.equal(first?.body, "");
      assert.deepEqual([...(first?.headers ?? [])].map(([name]) => name).sort(), ["accept", "x-a"]);
      assert.deepEqual(server.seen.slice(1).map(({ body }) => body.length), [size, size]);
      assert.equal(server.seen[1]?.headers.get("if-match"), "e");
    }
  }
  const server = createServerWith();
  await client(server)(BASE, { method: "POST", body: "ä".repeat(8193) }); // counts bytes, not characters
  assert.equal(server.seen[0]?.method, "GET");
});

test("createDigestFetch() uploads 1 MiB once, cold and warm", async () => {
  const server = await serve();
  const fetch = createDigestFetch({ username: "ada", password: "lovelace" });
  const body = "x".repeat(2 ** 20);
  for (const total of [2 ** 20, 2 ** 21]) {
    assert.equal((await fetch(server.url, { method: "POST", body })).status, 200);
    assert.equal(server.seen.reduce((sum, { body }) => sum + body.length, 0), total);
  }
  assert.equal(server.seen.length, 3);
  await server.close();
});

test("createDigestFetch() sends a large body unsigned where nobody asks for a signature", async () => {
  const server = createServerWith({
    open: ({ method }) => new Response(method, { status: method === "GET" ? 405 : 201 }),
  });
  const response = await client(server)(BASE, { method: "PUT", body: "x".repeat(20_000) });
  assert.equal(response.status, 201);
  assert.deepEqual(server.seen.map(({ method, credentials }) => [method, credentials]), [["GET", undefined], [
    "PUT",
    undefined,
  ]]);
});

test("createDigestFetch() returns the 401 to the asking GET if it cannot be answered", async () => {
  for (const body of ["x".repeat(20_000), streamOf("x")]) {
    const server = createServerWith({
      open: () => new Response("basic only", { status: 401, headers: { "www-authenticate": "Basic" } }),
    });
    const response = await client(server)(BASE, { method: "POST", body, ...{ duplex: "half" } });
    assert.equal(await response.text(), "basic only");
    assert.deepEqual(server.seen.map(({ method }) => method), ["GET"]);
  }
});

// Promise 13 ----------------------------------------------------------------------------------------------------------

test("createDigestFetch() sends a stream once, with a nonce asked for just before", async () => {
  const server = await serve({ answer: ({ body }) => new Response(body) });
  const fetch = createDigestFetch({ username: "ada", password: "lovelace" });
  for (let call = 1; call <= 2; call++) {
    const response = await fetch(server.url, {
      method: "POST",
      body: streamOf("a", "b", "c"),
      headers: { "content-type": "text/x" },
    });
    assert.equal(response.status, 200);
    assert.equal(await response.text(), "abc");
    assert.equal(server.seen.length, call * 2);
  }
  assert.deepEqual(server.seen.map(({ method, body }) => [method, body]), [["GET", ""], ["POST", "abc"], ["GET", ""], [
    "POST",
    "abc",
  ]]);
  await server.close();
});

test("createDigestFetch() takes an async iterable for a stream", async () => {
  async function* chunks() {
    yield new TextEncoder().encode("ab");
    yield new TextEncoder().encode("c");
  }
  let sent: unknown;
  const server = createServerWith();
  const fetch = createDigestFetch({
    username: "ada",
    password: "lovelace",
    fetch: (input, init) => {
      if (init?.body) sent = init.body;
      return server.fetch(input, init?.body ? { ...init, body: "abc" } : init);
    },
  });
  const body = chunks();
  const init: object = { method: "POST", body };
  assert.equal((await fetch(BASE, init)).status, 200);
  assert.equal(sent, body);
  assert.deepEqual(server.seen.map(({ method }) => method), ["GET", "POST"]);
});

test("createDigestFetch() takes what the server says of a stream as final", async () => {
  const server = createServerWith({ refuses: () => "stale" });
  const fetch = client(server);
  const response = await fetch(BASE, { method: "POST", body: streamOf("abc") });
  assert.equal(response.status, 401);
  assert.deepEqual(server.seen.map(({ body }) => body), ["", "abc"]);
});

test("createDigestFetch() signs a stream with the kept nonce if the GET is open, or leaves it unsigned", async () => {
  const server = createServerWith({
    open: ({ uri, method }) => uri === "/open" && method === "GET" ? new Response("open") : undefined,
  });
  const fetch = client(server);
  assert.equal((await fetch(`${BASE}/open`, { method: "POST", body: streamOf("abc") })).status, 401); // documented
  await fetch(`${BASE}/other`);
  const response = await fetch(`${BASE}/open`, { method: "POST", body: streamOf("abc") });
  assert.equal(response.status, 200);
  assert.equal(server.seen.at(-1)?.body, "abc");
});

test("createDigestFetch() signs a stream with the challenge that refused the one before, if the GET is open", async () => {
  let dead = "";
  const server = createServerWith({
    open: ({ uri, method }) => uri === "/open" && method === "GET" ? new Response("open") : undefined,
    refuses: ({ value }) => value === dead ? "stale" : undefined,
  });
  const fetch = client(server);
  const upload = () => fetch(`${BASE}/open`, { method: "POST", body: streamOf("abc") });
  await fetch(`${BASE}/other`);
  [dead = ""] = server.nonces.keys();
  assert.equal((await upload()).status, 401);
  const asked = server.seen.length;
  assert.equal((await upload()).status, 200);
  assert.deepEqual(server.seen.slice(asked).map(({ method, body }) => [method, body]), [["GET", ""], ["POST", "abc"]]);
});

test("createDigestFetch() refuses a stream where only auth-int is offered", async () => {
  const server = createDigestServer({ qop: "auth-int" });
  const fetch = client(server);
  const error = /^TypeError: Cannot hash a stream.*auth-int/;
  await assert.rejects(fetch(BASE, { method: "POST", body: streamOf("abc") }), error);
  assert.deepEqual(server.seen.map(({ method }) => method), ["GET"]);
});

test("createDigestFetch() hashes Blob and bytes for auth-int", async () => {
  const server = createDigestServer({ qop: "auth-int" });
  for (const body of [new Blob(["blob"]), new TextEncoder().encode("bytes"), null]) {
    assert.equal((await client(server)(BASE, { method: "POST", body })).status, 200);
  }
});

test("createDigestFetch() refuses to follow a redirect that would need a stream again", async () => {
  for (const [status, method] of [[301, "POST"], [302, "POST"], [307, "POST"], [308, "POST"], [302, "PUT"]] as const) {
    const server = createServerWith({ answer: () => new Response(null, { status, headers: { location: "/to" } }) });
    await assert.rejects(client(server)(BASE, { method, body: streamOf("abc") }), (error: unknown) => {
      return error instanceof TypeError && /stream/.test(error.message) && error.message.includes(`${BASE}/to`);
    });
    assert.equal(server.seen.filter(({ body }) => body !== "").length, 1);
  }
  const server = createServerWith({
    answer: ({ uri }) => new Response(null, uri === "/to" ? {} : { status: 303, headers: { location: "/to" } }),
  });
  assert.equal((await client(server)(BASE, { method: "POST", body: streamOf("abc") })).status, 200);
});

// Promise 14 ----------------------------------------------------------------------------------------------------------

test("createDigestFetch() reads the body of a Request into memory and uses it up, as fetch does", async () => {
  const server = createServerWith();
  const request = new Request(`${BASE}/r`, { method: "POST", body: "abc", headers: { "x-a": "b" } });
  assert.equal((await client(server)(request)).status, 200);
  assert.deepEqual(
    server.seen.map(({ method, body, headers }) => [method, body, headers.get("x-a"), headers.get("content-type")]),
    [
      ["POST", "abc", "b", request.headers.get("content-type")],
      ["POST", "abc", "b", request.headers.get("content-type")],
    ],
  );
  assert.equal(request.headers.has("authorization"), false);
  assert.equal(request.bodyUsed, true);
  await assert.rejects(client(server)(request), TypeError);
  assert.equal(server.seen.length, 2);
});

test("createDigestFetch() lets init override a Request", async () => {
  const server = createServerWith();
  const request = new Request(`${BASE}/r`, { method: "POST", body: "abc", headers: { "x-a": "b" } });
  await client(server)(request, { method: "PUT", body: "def", headers: [["x-c", "d"]] });
  const last = server.seen.at(-1);
  assert.deepEqual([last?.method, last?.body, last?.headers.get("x-a"), last?.headers.get("x-c")], [
    "PUT",
    "def",
    null,
    "d",
  ]);
});

test("createDigestFetch() changes nothing of the caller's", async () => {
  const server = createServerWith();
  const headers = new Headers({ "x-a": "b" });
  const init = { method: "POST", body: new URLSearchParams("a=b"), headers };
  const before = inspect(init);
  const url = new URL(`${BASE}/p?#f`);
  await client(server)(url, Object.freeze(init));
  assert.equal(inspect(init), before);
  assert.deepEqual([...headers], [["x-a", "b"]]);
  assert.equal(url.href, `${BASE}/p?#f`);
});

test("createDigestFetch() takes headers in every form", async () => {
  const server = createServerWith();
  const fetch = client(server);
  const tuples: [string, string][] = [["x-a", "b"], ["x-a", "c"]];
  for (const headers of [new Headers(tuples), tuples, { "X-A": "b, c" }]) {
    await fetch(BASE, { headers });
    assert.equal(server.seen.at(-1)?.headers.get("x-a"), "b, c");
  }
});

test("createDigestFetch() hands the runtime its extras", async () => {
  const inits: unknown[] = [];
  const server = createServerWith();
  const fetch = createDigestFetch({
    username: "ada",
    password: "lovelace",
    fetch: (input, init) => {
      inits.push(init);
      return server.fetch(input, init);
    },
  });
  const dispatcher = {};
  const init: object = { method: "POST", body: streamOf("x"), cache: "no-store", proxy: undefined, marker: dispatcher };
  await fetch(BASE, init);
  for (const seen of inits) assert.equal(Reflect.get(Object(seen), "marker"), dispatcher);
  assert.equal(inits.length, 2);
});

test("createDigestFetch() refuses a GET or HEAD with a body on every runtime, before anything is sent", async () => {
  const server = createServerWith();
  for (const method of ["GET", "get", "HEAD"]) {
    await assert.rejects(client(server)(BASE, { method, body: "x" }), (error: unknown) => {
      return error instanceof TypeError && error.message.includes(`a body with ${method.toUpperCase()}`);
    });
  }
  await assert.rejects(client(server)(BASE, { body: "" }), TypeError);
  await assert.rejects(client(server)(new Request(BASE, { method: "POST", body: "x" }), { method: "GET" }), TypeError);
  assert.equal(server.seen.length, 0);
});

test("createDigestFetch() refuses what is no absolute HTTP URL, and credentials in one, without showing them", async () => {
  const server = createServerWith();
  for (
    const url of [
      "",
      "/groups",
      "http://",
      "ftp://example.com",
      "http://ada:sekret@digest.example/",
      "http://sekret@[",
      "sekret@digest.example",
    ]
  ) {
    await assert.rejects(
      client(server)(url),
      (error: unknown) => error instanceof TypeError && !inspect(error).includes("sekret"),
      url,
    );
  }
  assert.equal(server.seen.length, 0);
});

test("createDigestFetch() refuses methods that fetch refuses", async () => {
  for (const method of ["CONNECT", "TRACE", "a b", ""]) {
    if (isBun && new Request(BASE, { method })) continue; // Bun refuses none of them
    await assert.rejects(client(createServerWith())(BASE, { method }), TypeError, method);
  }
});

test("createDigestFetch() honours a signal before, between and after", async () => {
  const reason = new Error("enough");
  const server = createServerWith();
  await assert.rejects(client(server)(BASE, { signal: AbortSignal.abort(reason) }), reason);
  await assert.rejects(client(server)(new Request(BASE, { signal: AbortSignal.abort(reason) })), reason);
  assert.equal(server.seen.length, 0);

  const between = new AbortController();
  const aborting = createServerWith({
    challenge: (nonce) => {
      globalThis.setImmediate(() => between.abort(reason)); // in the turn that passes before the retry
      return { "www-authenticate": `Digest realm="engine", nonce="${nonce}", qop="auth"` };
    },
  });
  await assert.rejects(client(aborting)(BASE, { signal: between.signal }), reason);
  assert.equal(aborting.seen.length, 1);

  const after = new AbortController();
  const response = await client(server)(BASE, { signal: after.signal });
  after.abort(reason);
  assert.equal(await response.text(), "welcome");
  assert.equal((await client(server)(BASE, { signal: null })).status, 200);
});

test("createDigestFetch() honours a signal while a 401 hangs half way", async () => {
  const server = await listen((_request, response) => {
    response.writeHead(401, { "www-authenticate": 'Digest realm="r", nonce="n", qop="auth"' });
    response.write("half");
  });
  const fetch = createDigestFetch({ username: "ada", password: "lovelace" });
  await assert.rejects(fetch(server.url, { signal: AbortSignal.timeout(200) }), { name: "TimeoutError" });
  await server.close();
});

test("createDigestFetch() looks the global fetch up at each request", async () => {
  const original = globalThis.fetch;
  const server = createServerWith();
  const fetch = createDigestFetch({ username: "ada", password: "lovelace" });
  try {
    globalThis.fetch = Object.assign(server.fetch, { preconnect: () => {} });
    assert.equal((await fetch(BASE)).status, 200);
  } finally {
    globalThis.fetch = original;
  }
});

// Promises 6 and 21 ---------------------------------------------------------------------------------------------------

test("createDigestFetch() refuses credentials with CR, LF or NUL, and what is no string, when it is made", () => {
  const missing: { username: string; password: string } = JSON.parse("{}");
  assert.throws(() => createDigestFetch(missing), /^TypeError: Cannot authenticate: username/);
  for (const bad of ["\r", "\n", "\0"]) {
    assert.throws(() => createDigestFetch({ username: `a${bad}`, password: "p" }), /^TypeError: .*username/);
    assert.throws(() => createDigestFetch({ username: "a", password: `sekret${bad}` }), (error: unknown) => {
      return error instanceof TypeError && /password/.test(error.message) && !/sekret/.test(inspect(error));
    });
  }
});

test("createDigestFetch() signs for user names of every kind", async () => {
  for (const username of ['a"b\\c', "Jäsøn", "名前", "a:b c", ""]) {
    const server = await serve({ username });
    const fetch = createDigestFetch({ username, password: "lovelace" });
    assert.equal((await fetch(server.url)).status, 200, username);
    await server.close();
  }
});

test("createDigestFetch() shows no credentials", async () => {
  const server = createServerWith();
  const fetch = client(server, "sekret");
  await fetch(BASE);
  assert.ok(!inspect(fetch, { depth: 9, showHidden: true }).includes("sekret"));
  assert.equal(JSON.stringify(fetch), undefined);
});

// What a hostile server or a careless caller may do -----------------------------------------------------------------

test("createDigestFetch() shows no value of a header that cannot be sent", async () => {
  const headers = { authorization: "Bearer sekret\nx" };
  await assert.rejects(client(createServerWith())(BASE, { headers }), (error: unknown) => {
    return error instanceof TypeError && !inspect(error, { showHidden: true }).includes("sekret");
  });
});

test("createDigestFetch() honours a signal while a body hangs that knows nothing of it", async () => {
  const reason = new Error("enough");
  const hanging = () => new ReadableStream({ start: (controller) => controller.enqueue(new Uint8Array(1)) });
  const challenge = { "www-authenticate": 'Digest realm="r", nonce="n", qop="auth"' };
  const refusing = createDigestFetch({
    username: "ada",
    password: "lovelace",
    fetch: () => Promise.resolve(new Response(hanging(), { status: 401, headers: challenge })),
  });
  const controller = new AbortController();
  const { signal } = controller;
  const calls = [refusing(BASE, { signal })];
  if (!isBun) { // whose Request cannot be read while its stream is open
    const init: object = { method: "POST", body: hanging(), duplex: "half", signal };
    calls.push(client(createServerWith())(new Request(BASE, init)));
  }
  setTimeout(() => controller.abort(reason), 20);
  for (const result of await Promise.allSettled(calls)) {
    assert.equal(result.status, "rejected");
    assert.equal(result.status === "rejected" && result.reason, reason);
  }
});

test("createDigestFetch() follows a Location in UTF-8 as fetch does", async () => {
  const server = createServerWith({
    answer: ({ uri }) => {
      const location = Buffer.from("/ü").toString("latin1");
      return uri === "/" ? new Response(null, { status: 302, headers: { location } }) : new Response(uri);
    },
  });
  assert.equal(await (await client(server)(BASE)).text(), "/%C3%BC");
});

test("createDigestFetch() refuses an integrity, which runtimes would check of a 401 too", async () => {
  const server = createServerWith();
  const integrity = "sha256-x";
  const request = new Request(BASE, { integrity });
  for (const call of [client(server)(BASE, { integrity }), ...(request.integrity ? [client(server)(request)] : [])]) {
    await assert.rejects(call, { name: "TypeError", message: "Cannot check integrity: hash the body yourself" });
  }
  assert.equal(server.seen.length, 0);
  assert.equal((await client(server)(BASE, { integrity: "" })).status, 200);
});

test("createDigestFetch() refuses a locked stream before anything is sent", async () => {
  const server = createServerWith();
  const body = streamOf("abc");
  body.getReader();
  await assert.rejects(
    client(server)(BASE, { method: "POST", body }),
    /^TypeError: Cannot send the stream: it is locked/,
  );
  assert.equal(server.seen.length, 0);
});

test("createDigestFetch() takes null for init, as fetch does", async () => {
  const nothing: undefined = JSON.parse("null");
  assert.equal((await client(createServerWith())(BASE, nothing)).status, 200);
});
