/** Devices that close a connection behind each answer, and do not say so with `Connection: close`. */

import test, { after } from "node:test";
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { createDigestFetch } from "../../lib/digest/mod.ts";
import type { Fetch } from "../../mod.ts";
import type { Arrival } from "./closing/devices.ts";
import { readParams } from "./front.ts";
import { run, whereInstalled } from "./programs.ts";
import { ann } from "./servers.ts";

const CALLS = 4;
const REPETITIONS = 20;

const node = fileURLToPath(new URL("node_modules/node24/bin/node", import.meta.url));
const devices = fileURLToPath(new URL("closing/devices.ts", import.meta.url));

/** A fetch that records with which nonces and counts requests are signed. */
function createRecorder() {
  const sent: string[] = [];
  const recording: Fetch = (input, init) => {
    const { nonce, nc } = readParams(new Headers(init?.headers).get("authorization") ?? "");
    if (nonce !== undefined) sent.push(`${nonce} ${nc}`);
    return fetch(input, init);
  };
  return { sent, fetch: recording };
}

await whereInstalled("createDigestFetch() gets into devices that close connections", [node, "curl"], async () => {
  const child = spawn(node, [devices, ann.username, ann.password], { stdio: ["ignore", "pipe", "inherit"] });
  after(() => child.kill());
  const [line] = await once(child.stdout, "data");
  const { port, ways }: { port: number; ways: string[] } = JSON.parse(String(line));

  async function askDevices(method: string, query: Record<string, string>): Promise<string> {
    const response = await fetch(`http://127.0.0.1:${port}/?${new URLSearchParams(query)}`, { method });
    return await response.text();
  }

  /** What came of four calls to a new device, and what came to it in each. */
  async function callFourTimes(way: string, init: RequestInit, digestFetch: Fetch) {
    const device = await askDevices("POST", { way });
    const calls: { text?: string; error?: unknown; arrivals: Arrival[] }[] = [];
    while (calls.length < CALLS) {
      const call = digestFetch(`http://127.0.0.1:${device}/page?of=${way}`, init);
      const result = await call.then(async (response) => ({ text: await response.text() }), (error) => ({ error }));
      calls.push({ ...result, arrivals: JSON.parse(await askDevices("GET", { port: device })) });
    }
    return calls;
  }

  for (const way of ways) {
    test(`curl --digest gets into a device that ${way}`, async () => {
      const device = await askDevices("POST", { way });
      const args = ["--digest", "-sS", "-u", `${ann.username}:${ann.password}`, `http://127.0.0.1:${device}/page`];
      assert.equal(await run("curl", args), "page");
    });

    for (const init of [{ method: "GET" }, { method: "POST", body: "small" }]) {
      const { method } = init;
      const mayFail = method === "POST"; // as with fetch: who knows whether it was executed
      const title = `createDigestFetch() signs at once what follows a first ${method} to a device that ${way}`;
      test(title, { timeout: 60_000 }, async () => {
        await Promise.all(Array.from({ length: REPETITIONS }, async (_, repetition) => {
          const recorder = createRecorder();
          const isRecorded = repetition % 2 === 0;
          const digestFetch = createDigestFetch({ ...ann, fetch: isRecorded ? recorder.fetch : undefined });
          const calls = await callFourTimes(way, init, digestFetch);
          const story = JSON.stringify(calls);

          for (const { text, error } of calls) {
            const isOfFetch = error instanceof TypeError && !error.message.startsWith("Cannot");
            assert.ok(text === "page" || (mayFail && isOfFetch), `${error} ${story}`);
          }
          const [first, ...others] = calls.map(({ arrivals }) => arrivals.map(({ nonce }) => nonce !== undefined));
          assert.equal(first?.[0], false, story);
          for (const isSigned of others) assert.ok(isSigned.every(Boolean), story);

          const arrivals = calls.flatMap(({ arrivals }) => arrivals);
          assert.ok(arrivals.filter(({ status }) => status === 200).length <= CALLS, story);
          // What has no answer Deno and Bun send again by themselves, with the same count.
          const answered = arrivals.filter(({ nonce, status }) => nonce !== undefined && status !== 0);
          const counts = answered.map(({ nonce, nc }) => `${nonce} ${nc}`);
          assert.equal(new Set(counts).size, counts.length, story);
          assert.equal(new Set(recorder.sent).size, recorder.sent.length, String(recorder.sent));
          if (isRecorded) assert.ok(recorder.sent.length >= CALLS - 1, String(recorder.sent));
        }));
      });
    }
  }
});
