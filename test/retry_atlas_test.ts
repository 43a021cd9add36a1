import assert from "node:assert/strict";
import { test } from "node:test";
import { createAtlasFetch } from "../lib/atlas_fetch.ts";
import type { Fetch } from "../lib/digest/call.ts";
import { createFakeAtlas } from "../lib/testing.ts";
import { withJumpingClock, withTimers } from "./clock.ts";
import { answer } from "./retry_answers.ts";
import { reasonOf } from "./serving.ts";

/** The counts of nonces that were sent, by nonce; the challenges asked for without a signature left out. */
function countsOf(requests: readonly Request[]): Map<string, number[]> {
  const counts = new Map<string, number[]>();
  for (const { headers } of requests) {
    const authorization = headers.get("authorization");
    if (authorization === null) continue;
    const nonce = /[ ,]nonce="([^"]*)"/.exec(authorization)?.[1] ?? "";
    const nc = /[ ,]nc=([0-9a-f]{8})/.exec(authorization)?.[1] ?? "";
    counts.set(nonce, [...counts.get(nonce) ?? [], parseInt(nc, 16)]);
  }
  return counts;
}

test("createAtlasFetch() signs each try anew with a count of its own", async () => {
  const fake = createFakeAtlas({
    answers: [answer(429, "0")(), answer(503, "0")(), Response.error(), answer(504, "0")()],
  });
  const atlasFetch = createAtlasFetch({ credentials: fake.credentials, fetch: fake, retry: { limit: 4, maxDelay: 2 } });
  assert.equal((await atlasFetch("/groups")).status, 200);
  assert.deepEqual([...countsOf(fake.requests).values()], [[1, 2, 3, 4, 5]]);
});

test("createAtlasFetch() signs each try with a fresh nonce where the last one went stale", async () => {
  const fake = createFakeAtlas({ nonceUses: 1, answers: [answer(429, "0")(), answer(429, "0")()] });
  const atlasFetch = createAtlasFetch({ credentials: fake.credentials, fetch: fake, retry: { maxDelay: 2 } });
  const response = await atlasFetch("/groups", {
    method: "POST",
    body: JSON.stringify({ name: "replayed", orgId: "65f1c0de0000000000000000" }),
  });
  assert.equal(response.status, 200);
  const bodies = await Promise.all(fake.requests.map((request) => request.text()));
  assert.equal(new Set(bodies).size, 1);
  const accepted = [...countsOf(fake.requests).values()].filter((counts) => counts[0] === 1);
  assert.equal(accepted.length, 3);
});

test("createAtlasFetch() tries once with retry: false", async () => {
  for (const [status, method] of [[429, "GET"], [429, "POST"], [503, "GET"]] as const) {
    const fake = createFakeAtlas({ answers: [answer(status, "0")()] });
    const atlasFetch = createAtlasFetch({ credentials: fake.credentials, fetch: fake, retry: false });
    assert.equal((await atlasFetch("/groups", { method })).status, status);
    assert.equal([...countsOf(fake.requests).values()].flat().length, 1);
  }
  // Digest itself sends a GET once more whose connection is lost.
  for (const [method, requests] of [["GET", 2], ["POST", 1]] as const) {
    const fake = createFakeAtlas({ answers: [Response.error(), Response.error(), Response.error()] });
    const atlasFetch = createAtlasFetch({ credentials: fake.credentials, fetch: fake, retry: false });
    await assert.rejects(atlasFetch("/groups", { method }), TypeError);
    assert.deepEqual([...countsOf(fake.requests).values()], [
      Array.from({ length: requests }, (_, index) => index + 1),
    ]);
  }
});

test("createAtlasFetch() does not repeat its own refusals", async () => {
  const fake = createFakeAtlas();
  const atlasFetch = createAtlasFetch({ credentials: fake.credentials, fetch: fake });
  for (
    const call of [
      () => atlasFetch("https://evil.example/", { method: "POST" }),
      () => atlasFetch("/groups", { method: "POST", headers: { authorization: "Bearer x" } }),
      () => atlasFetch("/groups", { method: "POST", version: "2025-3-12" }),
      () => atlasFetch("/groups", { body: "x" }),
    ]
  ) {
    await withTimers({}, async (waits) => {
      assert.doesNotMatch((await reasonOf(call())).message, /executed/);
      assert.deepEqual(waits, []);
    });
  }
  assert.equal(fake.requests.length, 0);
});

test("createAtlasFetch() brings 100 parallel calls through a bucket of 10, 50 a second", () =>
  withJumpingClock(async () => {
    const atlas = createFakeAtlas({ rateLimit: { capacity: 10, refillPerMinute: 3000 } });
    const due = new Map<string, number>();
    const executed = new Map<string, number>();
    const early: number[] = [];
    let refusals = 0;
    const watching: Fetch = async (input, init) => {
      const id = new Headers(init?.headers).get("x-call") ?? "";
      const ahead = (due.get(id) ?? 0) - Date.now();
      if (ahead > 0) early.push(ahead);
      const response = await atlas(input, init);
      if (response.status === 429) {
        refusals++;
        due.set(id, Date.now() + Number(response.headers.get("retry-after")) * 1000);
      } else if (response.ok) executed.set(id, (executed.get(id) ?? 0) + 1);
      return response;
    };
    const { credentials } = atlas;
    const atlasFetch = createAtlasFetch({ credentials, retry: { limit: 5 }, fetch: watching });
    const began = Date.now();
    const ids = Array.from({ length: 100 }, (_, index) => `call-${index}`);
    const statuses = await Promise.all(ids.map(async (id, index) => {
      const headers = { "x-call": id };
      const body = JSON.stringify({ name: id, orgId: "65f1c0de0000000000000000" });
      const response = await atlasFetch("/groups", index % 2 ? { headers } : { method: "POST", headers, body });
      await response.text();
      return response.status;
    }));
    const took = Date.now() - began;
    assert.deepEqual(new Set(statuses), new Set([200]));
    assert.ok(took < 8000, `${took} ms by the clock of this test`); // at 50 a second 90 take 1800
    assert.ok(refusals > 0);
    assert.deepEqual(early, []);
    assert.deepEqual(new Set(executed.values()), new Set([1]));
    assert.equal(executed.size, 100);
    const list = await atlasFetch("/groups?itemsPerPage=500");
    const { results }: { results: { name: string }[] } = JSON.parse(await list.text());
    const made = results.map(({ name }) => name).filter((name) => name.startsWith("call-"));
    assert.deepEqual(made.sort(), ids.filter((_, index) => index % 2 === 0).sort());
  }));
