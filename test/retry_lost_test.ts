import assert from "node:assert/strict";
import { test } from "node:test";
import { inspect } from "node:util";
import { runInNewContext } from "node:vm";
import { createAtlasFetch } from "../lib/atlas_fetch.ts";
import { createBearerFetch } from "../lib/bearer_fetch.ts";
import type { Fetch } from "../lib/digest/call.ts";
import { createDigestFetch } from "../lib/digest/mod.ts";
import { createRetryFetch } from "../lib/retry_fetch.ts";
import { withTimers } from "./clock.ts";
import { type Answer, challenged, createRecorder } from "./recorder.ts";
import { answer, connectionError, lost, PLACE } from "./retry_answers.ts";
import { reasonOf, serving } from "./serving.ts";

const patient = { timeout: 60_000 }; // Bun gives a test 5 s

test("createRetryFetch() repeats a lost connection for GET and HEAD only", async () => {
  for (const method of ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]) {
    let requests = 0;
    await serving((request, response) => {
      if (++requests < 3) request.socket.destroy();
      else response.end();
    }, async (url) => {
      const call = createRetryFetch({ maxDelay: 2 })(`${url}/path?key=hunter2`, { method });
      if (method === "GET" || method === "HEAD") {
        assert.equal((await call).status, 200);
        assert.equal(requests, 3);
        return;
      }
      const error = await reasonOf(call);
      assert.ok(error instanceof TypeError);
      assert.ok(error.cause instanceof Error, inspect(error));
      assert.ok(error.message.includes(`${method} ${url}/path may have been executed`), error.message);
      assert.ok(!error.message.includes("hunter2"));
      assert.equal(requests, 1);
    });
  }
});

test("createRetryFetch() does not repeat a redirect that fetch is not to follow, or call it a lost connection", async () => {
  for (const method of ["GET", "POST"]) {
    let requests = 0;
    await serving((_request, response) => {
      requests++;
      response.writeHead(302, { location: "/" }).end();
    }, async (url) => {
      const error = await reasonOf(createRetryFetch()(url, { method, redirect: "error" }));
      assert.ok(error instanceof TypeError);
      assert.doesNotMatch(error.message, /lost|executed/);
      assert.equal(requests, 1);
    });
  }
});

test("createRetryFetch() rejects with fetch's own error for a GET that is lost for good", async () => {
  for (const limit of [0, 2]) {
    let requests = 0;
    await serving((request) => {
      requests++;
      request.socket.destroy();
    }, async (url) => {
      const thrown: unknown[] = [];
      const watching: Fetch = async (input, init) => {
        return await globalThis.fetch(input, init).catch((error) => {
          thrown.push(error);
          throw error;
        });
      };
      const error = await reasonOf(createRetryFetch({ limit, maxDelay: 2, fetch: watching })(url));
      assert.equal(error, thrown.at(-1));
      assert.equal(requests, limit + 1);
      assert.equal(thrown.length, limit + 1);
    });
  }
});

test("createRetryFetch() says in one line that a POST may have been executed, and why it was lost", async () => {
  const bun = "The socket connection was closed unexpectedly. For more information, pass `verbose: true`";
  const deno =
    "error sending request from 127.0.0.1:1 for https://h.example/p?key=hunter2 (127.0.0.1:2): client error " +
    "(SendRequest): connection closed before message completed";
  const cases: [error: TypeError, why: string][] = [
    [connectionError("UND_ERR_SOCKET", "other side closed"), "other side closed"],
    [connectionError("ECONNRESET", "read ECONNRESET"), "read ECONNRESET"],
    [connectionError("EPIPE", ""), "EPIPE"],
    [Object.assign(new TypeError(bun), { code: "ECONNRESET" }), "The socket connection was closed unexpectedly"],
    [new TypeError("fetch failed", { cause: new Error(deno) }), "connection closed before message completed"],
    [new TypeError(deno.replace("127.0.0.1:1 ", "")), "connection closed before message completed"],
    [new TypeError("Network connection lost."), "Network connection lost"], // workerd
  ];
  for (const [thrown, why] of cases) {
    const { fetch, sent } = createRecorder(() => Promise.reject(thrown));
    const error = await reasonOf(createRetryFetch({ maxDelay: 1, fetch })(`${PLACE}?key=hunter2`, { method: "POST" }));
    assert.ok(error instanceof TypeError);
    assert.equal(
      error.message,
      `Connection lost: POST ${PLACE} may have been executed (${why}). Look before you send it again`,
    );
    assert.equal(error.cause, thrown);
    assert.equal(sent.length, 1);
  }
});

test("createRetryFetch() says so once, however many are stacked", async () => {
  const { fetch, sent } = createRecorder(lost);
  const stacked = createRetryFetch({ fetch: createRetryFetch({ fetch: createRetryFetch({ fetch }) }) });
  const error = await reasonOf(stacked(PLACE, { method: "POST" }));
  assert.match(error.message, /^Connection lost: POST \S+ may have been executed \(other side closed\)\. Look/);
  assert.equal(sent.length, 1);
});

test("createRetryFetch() repeats every method after a connection that was never made, but a stream", async () => {
  const refused = Object.assign(new Error("connect ECONNREFUSED"), { code: "ECONNREFUSED", syscall: "connect" });
  const unreachable = Object.assign(new Error("connect ENETUNREACH"), { code: "ENETUNREACH", syscall: "connect" });
  const errors = [
    connectionError("ECONNREFUSED"),
    connectionError("ENOTFOUND"),
    connectionError("EAI_AGAIN"),
    connectionError("UND_ERR_CONNECT_TIMEOUT"),
    new TypeError("fetch failed", { cause: new AggregateError([refused, unreachable]) }),
    Object.assign(new TypeError("Unable to connect"), { code: "ConnectionRefused" }), // Bun
    new TypeError("error sending request for url (http://h.example/): client error (Connect): dns error"), // Deno
  ];
  for (const error of errors) {
    for (const method of ["GET", "POST", "DELETE"]) {
      const { fetch, sent } = createRecorder(() => Promise.reject(error), answer(200));
      assert.equal((await createRetryFetch({ maxDelay: 1, fetch })(PLACE, { method })).status, 200);
      assert.equal(sent.length, 2);
      const never = createRecorder(() => Promise.reject(error));
      assert.equal(await reasonOf(createRetryFetch({ maxDelay: 1, fetch: never.fetch })(PLACE, { method })), error);
      assert.equal(never.sent.length, 3);
    }
    const { fetch, sent } = createRecorder(() => Promise.reject(error));
    const init = { method: "POST", body: new Blob(["x"]).stream() };
    assert.equal(await reasonOf(createRetryFetch({ fetch })(PLACE, init)), error);
    assert.equal(sent.length, 1);
  }
});

test("createRetryFetch() sends no POST again that a redirect led to a connection that was never made", async () => {
  for (const status of [301, 302, 303, 307]) {
    let executed = 0;
    await serving((request, response) => {
      if (request.method === "POST" && request.headers.authorization !== undefined) executed++;
      if (request.headers.authorization === undefined) {
        response.writeHead(401, { "www-authenticate": 'Digest realm="r", nonce="n", qop="auth"' }).end();
      } else response.writeHead(status, { location: "http://nope.invalid/" }).end();
    }, async (url) => {
      const person = { username: "u", password: "p" };
      const init = { method: "POST", body: "x" };
      const options = { limit: 2, maxDelay: 1 };
      const apiKey = { publicKey: "u", privateKey: "p" };
      const custom = { ...init, headers: { authorization: "Custom x" } };
      const retrying = (fetch?: Fetch) => createRetryFetch({ ...options, fetch });
      const calls = [
        () => retrying()(url, custom),
        () => retrying(createDigestFetch(person))(url, init),
        () => retrying(createBearerFetch({ token: () => Promise.resolve("t") }))(url, init),
        () => createAtlasFetch({ credentials: apiKey, baseUrl: url, retry: options })("/", init),
      ];
      const message = /^Cannot follow the redirect of POST http:[^ ]+\/, which may have been executed$/;
      for (const call of calls) assert.match((await reasonOf(call())).message, message);
      assert.equal(executed, calls.length, String(status));
    });
  }
});

test("createAtlasFetch() repeats a POST, and calls it not executed, if only the question before it was lost", async () => {
  const credentials = { publicKey: "u", privateKey: "p" };
  const init = { method: "POST", body: "x".repeat(20_000) };
  const loss = connectionError("UND_ERR_SOCKET", "other side closed");
  const { fetch, sent } = createRecorder(() => Promise.reject(loss), () => challenged(), answer(200));
  const retry = { maxDelay: 1 };
  assert.equal((await createAtlasFetch({ credentials, retry, fetch })("/groups", init)).status, 200);
  assert.deepEqual(sent.map(({ method }) => method), ["GET", "GET", "POST"]);

  const never = createRecorder(() => Promise.reject(loss));
  const atlasFetch = createAtlasFetch({ credentials, retry, fetch: never.fetch });
  assert.equal(await reasonOf(atlasFetch("/groups", init)), loss);
  assert.equal(await reasonOf(atlasFetch("/groups", { method: "POST", body: new Blob(["x"]).stream() })), loss);
  assert.deepEqual(never.sent.map(({ method }) => method), ["GET", "GET", "GET", "GET"]);

  const after = createRecorder(() => Promise.reject(loss), () => challenged(), () => Promise.reject(loss));
  const error = await reasonOf(createAtlasFetch({ credentials, retry, fetch: after.fetch })("/groups", init));
  assert.match(error.message, /may have been executed/);
  assert.deepEqual(after.sent.map(({ method }) => method), ["GET", "GET", "POST"]);
});

test("createAtlasFetch() repeats every method after a connection that was never made", async () => {
  const { fetch, sent } = createRecorder(() => Promise.reject(connectionError("ECONNREFUSED")), answer(200));
  const credentials = { accessToken: "t" };
  await createAtlasFetch({ credentials, fetch, retry: { maxDelay: 1 } })("/groups", { method: "POST", body: "{}" });
  assert.deepEqual(sent.map(({ method }) => method), ["POST", "POST"]);
});

test("createRetryFetch() knows a closed port and an unknown host on this runtime", async () => {
  let closed = "";
  await serving(() => {}, (url) => {
    closed = url;
    return Promise.resolve();
  });
  for (const url of [closed, "http://nope.invalid/"]) {
    for (const method of ["GET", "POST"]) {
      let tries = 0;
      const counting: Fetch = (input, init) => {
        tries++;
        return globalThis.fetch(input, init);
      };
      const error = await reasonOf(createRetryFetch({ limit: 1, maxDelay: 1, fetch: counting })(url, { method }));
      assert.doesNotMatch(error.message, /executed/);
      assert.equal(tries, 2, url);
    }
  }
});

test("createRetryFetch() rejects with what is no lost connection as it is, and does not repeat it", async () => {
  const reasons = [
    new Error("Out of memory"),
    new RangeError("Too long"),
    new TypeError("no mock for this URL"),
    new TypeError("fetch failed"), // proves nothing: a bad port, a redirect, a wrong header
    new TypeError("fetch failed", { cause: new Error("bad port") }),
    new TypeError("fetch failed", { cause: new Error("unexpected redirect") }),
    connectionError("DEPTH_ZERO_SELF_SIGNED_CERT", "self-signed certificate"),
    new TypeError("fetch failed", {
      cause: new Error("client error (Connect): invalid peer certificate: UnknownIssuer"),
    }),
    new DOMException("The operation timed out.", "TimeoutError"),
  ];
  for (const reason of reasons) {
    for (const method of ["GET", "POST"]) {
      const { fetch, sent } = createRecorder(() => Promise.reject(reason));
      assert.equal(await reasonOf(createRetryFetch({ maxDelay: 1, fetch })(PLACE, { method })), reason);
      assert.equal(sent.length, 1);
    }
  }
});

test("createRetryFetch() lets a bug in the caller's fetch through at the first try", async () => {
  const nothing: { init: { nope: { x: string } }; response: Response } = JSON.parse('{ "init": {} }');
  const bugs: (() => Promise<Response>)[] = [
    () => Promise.resolve(nothing.response),
    () => Promise.reject(nothing.init.nope.x),
  ];
  for (const bug of bugs) {
    for (const method of ["GET", "POST"]) {
      let tries = 0;
      const fetch: Fetch = () => {
        tries++;
        return bug();
      };
      const error = await reasonOf(createRetryFetch({ maxDelay: 1, fetch })(PLACE, { method }));
      assert.match(error.message, /undefined/);
      assert.equal(tries, 1);
    }
  }
});

test("createRetryFetch() knows a lost connection by an error of another realm too", async () => {
  const error: unknown = runInNewContext(
    'new TypeError("fetch failed", { cause: Object.assign(new Error("x"), { code: "ECONNRESET" }) })',
  );
  const { fetch, sent } = createRecorder(() => Promise.reject(error), answer(200));
  assert.equal((await createRetryFetch({ maxDelay: 1, fetch })(PLACE)).status, 200);
  assert.equal(sent.length, 2);
});

test("createRetryFetch() does not repeat the caller's mistakes, or call them lost connections", async () => {
  const init = (name: string, value: unknown): RequestInit => {
    const init: RequestInit = {};
    Reflect.set(init, name, value);
    return init;
  };
  const mistakes: [input: string | Request, init: RequestInit][] = [
    [PLACE, { body: "with a GET" }],
    [PLACE, { method: "HEAD", body: "x" }],
    [PLACE, { method: "POST", ...init("body", { not: "serialised" }) }],
    [PLACE, { method: "POST", headers: { "bad name": "x" } }],
    [PLACE, { method: "POST", headers: { name: "bad\nvalue" } }],
    ["/groups", { method: "POST" }],
    ["ftp://cloud.mongodb.com/", { method: "POST" }],
    ["https://user:hunter2@cloud.mongodb.com/", { method: "POST" }],
    [PLACE, { method: "GET", ...init("mode", "bogus") }],
    [PLACE, { method: "GET", ...init("redirect", "elsewhere") }],
    [PLACE, { method: "POST", ...init("redirect", "elsewhere") }],
  ];
  for (const [input, init] of mistakes) {
    const { fetch, sent } = createRecorder(({ url, init }) => {
      assert.equal(typeof new Request(url, init).url, "string"); // it throws, as fetch does
      return lost();
    });
    await withTimers({}, async (waits) => {
      const error = await reasonOf(createRetryFetch({ limit: 5, fetch })(input, init));
      assert.ok(error instanceof TypeError);
      assert.doesNotMatch(inspect(error), /executed|connection lost|hunter2/i);
      assert.deepEqual(waits, []);
      assert.ok(sent.length <= 1);
    });
  }
});

test("createRetryFetch() does not repeat what another fetch of ours refuses", async () => {
  const digestFetch = (answer: Answer) => {
    return createDigestFetch({ username: "u", password: "p", fetch: createRecorder(answer).fetch });
  };
  const authInt = () => challenged('Digest realm="r", nonce="n", qop="auth-int"');
  const circle = () => new Response(null, { status: 307, headers: { location: PLACE } });
  const calls: [fetch: Fetch, init: RequestInit][] = [
    [digestFetch(answer(200)), { headers: { authorization: "Basic eDp5" } }],
    [digestFetch(authInt), { method: "POST", body: new Blob(["x"]).stream() }],
    [digestFetch(circle), {}],
  ];
  for (const [inner, init] of calls) {
    let tries = 0;
    const counting: Fetch = (input, init) => {
      tries++;
      return inner(input, init);
    };
    const error = await reasonOf(createRetryFetch({ limit: 5, maxDelay: 1, fetch: counting })(PLACE, init));
    assert.ok(error instanceof TypeError);
    assert.doesNotMatch(error.message, /executed/);
    assert.equal(tries, 1);
  }
});

test("createRetryFetch() brings 300 GETs past each third connection lost, 300 POSTs once", patient, async () => {
  let requests = 0;
  const executed = new Map<string, number>();
  await serving((request, response) => {
    const count = ++requests;
    const execute = () => executed.set(request.url ?? "", (executed.get(request.url ?? "") ?? 0) + 1);
    request.resume().on("end", () => {
      if (count % 3 !== 0) execute();
      else if (count % 2 !== 0) execute(); // it is the answer that gets lost
      if (count % 3 === 0) return void request.socket.destroy();
      response.writeHead(200, { connection: "close" }).end("done");
    });
  }, async (url, connections) => {
    const retryFetch = createRetryFetch({ maxDelay: 2 });
    for (let index = 0; index < 300; index++) {
      assert.equal(await (await retryFetch(`${url}/get/${index}`)).text(), "done");
    }
    let failures = 0;
    let lookedFor = 0;
    for (let index = 0; index < 300; index++) {
      const path = `/post/${index}`;
      try {
        const response = await retryFetch(url + path, { method: "POST", body: "x" });
        assert.equal(await response.text(), "done");
        assert.equal(executed.get(path), 1);
      } catch (error) {
        assert.ok(error instanceof TypeError, inspect(error));
        assert.match(error.message, /may have been executed/);
        assert.ok((executed.get(path) ?? 0) <= 1);
        if (executed.has(path)) lookedFor++;
        failures++;
      }
    }
    assert.equal(failures, 100);
    assert.equal(lookedFor, 50);
    assert.equal(requests, 300 + 149 + 300); // each third of 449 was lost to the GETs
    assert.equal(connections(), requests);
  });
});
