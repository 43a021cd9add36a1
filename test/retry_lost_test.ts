import assert from "node:assert/strict";
import { test } from "node:test";
import { inspect } from "node:util";
import type { Fetch } from "../lib/digest/call.ts";
import { createDigestFetch } from "../lib/digest/mod.ts";
import { createRetryFetch } from "../lib/retry_fetch.ts";
import { withTimers } from "./clock.ts";
import { type Answer, challenged, createRecorder } from "./recorder.ts";
import { answer, lost, PLACE } from "./retry_answers.ts";
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

test("createRetryFetch() does not repeat a redirect that it is to refuse", async () => {
  for (const method of ["GET", "POST"]) {
    let requests = 0;
    await serving((_request, response) => {
      requests++;
      response.writeHead(302, { location: "/" }).end();
    }, async (url) => {
      const error = await reasonOf(createRetryFetch()(url, { method, redirect: "error" }));
      assert.ok(error instanceof TypeError);
      assert.equal(/^Connection lost: POST .* may have been executed/.test(error.message), method === "POST");
      assert.equal(requests, 1);
    });
  }
});

test("createRetryFetch() rejects as fetch does for a connection that is lost for good", async () => {
  for (const limit of [0, 2]) {
    let requests = 0;
    await serving((request) => {
      requests++;
      request.socket.destroy();
    }, async (url) => {
      const error = await reasonOf(createRetryFetch({ limit, maxDelay: 2 })(url));
      assert.ok(error instanceof TypeError);
      assert.ok(error.cause instanceof Error, inspect(error));
      assert.doesNotMatch(error.message, /executed/);
      assert.equal(requests, limit + 1);
    });
  }
});

test("createRetryFetch() gives the runtime's error as cause, also where that has none itself", async () => {
  const withCause = new TypeError("fetch failed", { cause: new Error("ECONNRESET") });
  const bare = new TypeError("The socket was closed");
  for (const [thrown, cause] of [[withCause, withCause.cause], [bare, bare]] as const) {
    const retryFetch = createRetryFetch({ limit: 0, fetch: () => Promise.reject(thrown) });
    const get = await reasonOf(retryFetch(PLACE));
    assert.equal(get.cause, cause);
    assert.ok(get.message.includes(thrown.message));
    const post = await reasonOf(retryFetch(PLACE, { method: "POST" }));
    assert.equal(post.cause, cause);
    assert.equal(
      post.message,
      `Connection lost: POST ${PLACE} may have been executed. Look before you send it again`,
    );
  }
});

test("createRetryFetch() rejects with what is no lost connection as it is, and does not repeat it", async () => {
  for (const reason of [new Error("Out of memory"), new RangeError("Too long"), new SyntaxError("Oops")]) {
    const { fetch, sent } = createRecorder(() => Promise.reject(reason));
    assert.equal(await reasonOf(createRetryFetch({ maxDelay: 1, fetch })(PLACE)), reason);
    assert.equal(sent.length, 1);
  }
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
