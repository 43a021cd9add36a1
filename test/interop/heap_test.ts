// What is left behind by many calls: no memory, and no listener on their signal.
import assert from "node:assert/strict";
import { getEventListeners, setMaxListeners } from "node:events";
import test from "node:test";
import { inspect } from "node:util";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { createAtlasFetch } from "../../lib/atlas_fetch.ts";
import type { Fetch } from "../../lib/digest/call.ts";

const patient = { timeout: 60_000 }; // Bun gives a test 5 s

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

test("createAtlasFetch() keeps heap and signal clean over 20,000 calls", patient, async () => {
  const counts = { tries: 0, mints: 0, refused: 0, limited: 0, dropped: 0 };
  const fetch: Fetch = (input, init) => {
    if (String(input).endsWith("/api/oauth/token")) {
      return Promise.resolve(Response.json({ access_token: `token-${++counts.mints}`, expires_in: 3600 }));
    }
    const tried = ++counts.tries;
    const isCurrent = new Headers(init?.headers).get("authorization") === `Bearer token-${counts.mints}`;
    if (!isCurrent || tried % 101 === 0) {
      counts.refused++;
      return Promise.resolve(new Response("refused", { status: 401 }));
    }
    if (tried % 7 === 0) {
      counts.limited++;
      return Promise.resolve(new Response("busy", { status: 429, headers: { "retry-after": "0" } }));
    }
    if (tried % 31 === 0) {
      counts.dropped++;
      const cause = Object.assign(new Error("socket hang up"), { code: "ECONNRESET" });
      return Promise.reject(new TypeError("fetch failed", { cause }));
    }
    return Promise.resolve(new Response("ok"));
  };
  const tokenStore = new Map<string, string>();
  const atlasFetch = createAtlasFetch({
    credentials: { clientId: "mdb_sa_id_0123456789abcdef01234567", clientSecret: "mdb_sa_sk_x", tokenStore },
    retry: { limit: 9, maxDelay: 1 },
    fetch,
  });
  const { signal } = new AbortController();
  setMaxListeners(0, signal); // Node 20 warns of eleven calls that wait at once
  const listeners = countListeners(signal);

  const run = async (calls: number) => {
    let left = calls;
    const others = { ok: 0, refused: 0 };
    await Promise.all(Array.from({ length: 50 }, async () => {
      while (left-- > 0) {
        const response = await atlasFetch("/groups", { signal });
        await response.text();
        if (response.ok) others.ok++;
        else if (response.status === 401) others.refused++;
      }
    }));
    // A token may be refused twice in a row to one call; its 401 then stands.
    assert.equal(others.ok + others.refused, calls);
    assert.ok(others.refused < calls / 50, `${others.refused}`);
  };
  const heapUsed = async () => {
    await sleep(1100); // Deno keeps the signal of a timeout until it is due: a second for each body that was dropped
    for (let turn = 0; turn < 5; turn++) { // until the collector has nothing left to take
      await sleep(20);
      collectGarbage();
    }
    return process.memoryUsage().heapUsed;
  };

  await run(3000); // until all is compiled and cached
  const growths: number[] = [];
  for (let batch = 0; batch < 4; batch++) {
    const before = await heapUsed();
    await run(5000);
    growths.push(await heapUsed() - before);
  }
  // A leak grows in each batch; what the engine allocates for itself comes and goes.
  assert.ok(Math.min(...growths) < 100_000, `${growths} bytes`); // 20 bytes a call
  assert.ok(counts.mints > 50 && counts.limited > 2000 && counts.dropped > 500, inspect(counts));
  assert.equal(getEventListeners(signal, "abort").length, 0);
  assert.ok(listeners.added > 2000);
  assert.equal(listeners.removed, listeners.added);
});

/** Counts what is added to a signal and what is taken off again. */
function countListeners(signal: AbortSignal): { added: number; removed: number } {
  const counts = { added: 0, removed: 0 };
  for (const [method, name] of [["addEventListener", "added"], ["removeEventListener", "removed"]] as const) {
    const original = signal[method];
    Reflect.set(signal, method, (...args: unknown[]) => {
      counts[name]++;
      Reflect.apply(original, signal, args);
    });
  }
  return counts;
}

/** By Bun's own function, or by V8's of Node and Deno. */
function collectGarbage(): void {
  const bun: unknown = Reflect.get(globalThis, "Bun");
  if (typeof bun === "object" && bun !== null) return void Reflect.apply(Reflect.get(bun, "gc"), bun, [true]);
  setFlagsFromString("--expose-gc");
  runInNewContext("gc")();
}
