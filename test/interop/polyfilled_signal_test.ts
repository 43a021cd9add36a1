/** Signals of npm's abort-controller, which Node 20 and 22 take for fetch: without reason and throwIfAborted. */

import test from "node:test";
import assert from "node:assert/strict";
import { AbortController as Polyfill } from "abort-controller";
import { serveFakeAtlas } from "../../lib/testing.ts";
import {
  createAtlasFetch,
  createBearerFetch,
  createDigestFetch,
  createRetryFetch,
  createTokenSource,
} from "../../mod.ts";
import type { ApiKey, Fetch } from "../../mod.ts";
import { createGate } from "../gate.ts";

const serviceAccount = { clientId: "mdb_sa_id_0123456789abcdef01234567", clientSecret: "mdb_sa_sk_under_score" };

type Make = (baseUrl: string, credentials: ApiKey, fetch?: Fetch) => Fetch;

/** Each asks the server at least twice: for a challenge or a token, and for what it wants. */
const makers: Record<string, Make> = {
  "createDigestFetch()": (_baseUrl, { publicKey, privateKey }, fetch) =>
    createDigestFetch({ username: publicKey, password: privateKey, fetch }),
  "createRetryFetch()": (_baseUrl, { publicKey, privateKey }, fetch) =>
    createRetryFetch({ fetch: createDigestFetch({ username: publicKey, password: privateKey, fetch }) }),
  "createBearerFetch()": (baseUrl, _credentials, fetch) =>
    createBearerFetch({
      token: createTokenSource({ ...serviceAccount, tokenUrl: `${baseUrl}/api/oauth/token`, fetch }),
      fetch,
    }),
  "createAtlasFetch() with an API key": (baseUrl, credentials, fetch) =>
    createAtlasFetch({ baseUrl, credentials, fetch }),
  "createAtlasFetch() with a service account": (baseUrl, _credentials, fetch) =>
    createAtlasFetch({ baseUrl, credentials: serviceAccount, fetch }),
};

/** An init with a signal of the polyfill; undefined where fetch takes none. */
function createInit(): { init: RequestInit; abort: () => void } | undefined {
  const controller = new Polyfill();
  const init: RequestInit = {};
  Reflect.set(init, "signal", controller.signal);
  try {
    new Request("http://127.0.0.1", init);
  } catch {
    return undefined;
  }
  return { init, abort: () => controller.abort() };
}

test("createDigestFetch() and the others take signals of npm's abort-controller where fetch does", async (t) => {
  if (!createInit()) return t.skip("this runtime's fetch takes no signals but its own");
  const left = createGate();
  let onSlowRequest = () => {};
  const atlas = await serveFakeAtlas({
    serviceAccount,
    async respond({ url }) {
      if (url.endsWith("/busy")) return new Response("", { status: 503, headers: { "retry-after": "30" } });
      if (!url.endsWith("/slow")) return undefined;
      onSlowRequest();
      await left.opened;
      return new Response("too late");
    },
  });

  /** What comes of a call whose signal is aborted when it sends its nth request, and how many these are. */
  async function call(make: Make, path: string, abortedAt?: number): Promise<{ result: unknown; requests: number }> {
    const { init, abort } = createInit() ?? assert.fail();
    let requests = 0;
    const counting: Fetch = async (input, init) => {
      if (++requests === abortedAt) abort();
      const response = await fetch(input, init);
      if (response.status === 503) setTimeout(abort); // it is waiting then
      return response;
    };
    if (abortedAt === 0) abort();
    onSlowRequest = abort;
    const headers = { accept: "application/vnd.atlas.2025-03-12+json" };
    const url = `${atlas.url}/api/atlas/v2${path}`;
    const response = make(atlas.url, atlas.credentials, counting)(url, { ...init, headers });
    const result = await response.then(({ status }) => status, ({ name }) => name);
    abort();
    return { result, requests };
  }

  try {
    for (const [name, make] of Object.entries(makers)) {
      assert.deepEqual(await call(make, "/groups"), { result: 200, requests: 2 }, name);
      assert.deepEqual(await call(make, "/groups", 0), { result: "AbortError", requests: 0 }, name);
      assert.deepEqual(await call(make, "/groups", 1), { result: "AbortError", requests: 1 }, name);
      assert.deepEqual(await call(make, "/groups", 2), { result: "AbortError", requests: 2 }, name);
      assert.deepEqual(await call(make, "/slow"), { result: "AbortError", requests: 2 }, name);
      const result = /Retry|Atlas/.test(name) ? "AbortError" : 503;
      assert.deepEqual(await call(make, "/busy"), { result, requests: 2 }, name);
    }
  } finally {
    left.open();
    await atlas.close();
  }
});
