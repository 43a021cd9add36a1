/** Runs the test files that run.ts names, one after the other, in one process. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { LAST_TEST } from "./run_reporter.ts";

process.on("message", run);

async function run({ file }: { file?: string }): Promise<void> {
  process.channel?.unref(); // so that the process ends: when there is no file left, or a test waits for what never comes
  if (file === undefined) return;
  const before = globals();
  try {
    await import(new URL(`../${file}`, import.meta.url).href);
  } catch (error) {
    test("It can be imported", () => assert.ifError(error));
  }
  test(file + LAST_TEST, () => {
    process.channel?.ref();
    const changed = Object.entries(globals()).filter(([name, value]) => value !== before[name]);
    assert.deepEqual(changed.map(([name]) => name), []);
  });
}

/** What tests put something else in place of. */
function globals(): Record<string, unknown> {
  const { fetch, Headers, Request, URL, setTimeout, setImmediate, process } = globalThis;
  const members = { env: process.env, now: Date.now, random: Math.random, timeout: AbortSignal.timeout };
  return { fetch, Headers, Request, URL, setTimeout, setImmediate, process, ...members };
}
