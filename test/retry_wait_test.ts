import assert from "node:assert/strict";
import { test } from "node:test";
import { createRetryFetch } from "../lib/retry_fetch.ts";
import { withTimers } from "./clock.ts";
import { createRecorder } from "./recorder.ts";
import { answer, lost, PLACE } from "./retry_answers.ts";
import { reasonOf } from "./serving.ts";

/** The wait before the second try, undefined if there was none. */
async function waitFor(
  first: () => Response,
  { maxDelay = 60_000, ...timers }: { random?: number; now?: number; maxDelay?: number } = {},
): Promise<number | undefined> {
  let wait: number | undefined;
  await withTimers(timers, async (waits) => {
    const { fetch, sent } = createRecorder(first, answer(200));
    const response = await createRetryFetch({ maxDelay, fetch })(PLACE);
    assert.equal(waits.length, sent.length - 1);
    assert.equal(response.ok, sent.length === 2);
    [wait] = waits;
  });
  return wait;
}

test("createRetryFetch() waits for Retry-After and up to a second more", async () => {
  for (const seconds of [0, 1, 7, 55]) {
    for (const status of [429, 500, 503]) {
      const ms = seconds * 1000;
      const least = await waitFor(answer(status, `${seconds}`), { random: 0 });
      const most = await waitFor(answer(status, `${seconds}`), { random: 1 - Number.EPSILON });
      assert.ok(least !== undefined && least >= ms && least <= ms + 10, `${least}`);
      assert.ok(most !== undefined && most > ms + 990 && most <= ms + 1000, `${most}`);
    }
  }
});

test("createRetryFetch() reads Retry-After as an HTTP-date of each form", async () => {
  const now = Date.UTC(1994, 10, 6, 8, 49, 30);
  for (
    const date of ["Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"]
  ) {
    const wait = await waitFor(answer(503, date), { now });
    assert.ok(wait !== undefined && wait >= 7000 && wait <= 7010, `${date}: ${wait}`);
  }
});

test("createRetryFetch() waits less than a second for a date in the past", async () => {
  for (const date of ["Sun, 06 Nov 1994 08:49:37 GMT", "Thu, 01 Jan 1970 00:00:00 GMT"]) {
    const wait = await waitFor(answer(429, date), { random: 0.5 });
    assert.ok(wait !== undefined && wait >= 400 && wait <= 600, `${wait}`);
  }
});

test("createRetryFetch() doubles from 1 s, after a 429 from 10 s, with full jitter and a cap", async () => {
  for (const [status, first] of [[503, 1000], [500, 1000], [429, 10_000]] as const) {
    for (const random of [0, 0.5, 0.999]) {
      await withTimers({ random }, async (waits) => {
        const { fetch } = createRecorder(answer(status));
        await createRetryFetch({ limit: 8, maxDelay: 60_000, fetch })(PLACE);
        const steps = Array.from({ length: 8 }, (_, step) => random * Math.min(first * 2 ** step, 60_000));
        assert.deepEqual(waits, steps);
      });
    }
  }
  await withTimers({ random: 0.5 }, async (waits) => {
    const { fetch } = createRecorder(lost);
    await reasonOf(createRetryFetch({ limit: 1100, maxDelay: 3000, fetch })(PLACE)); // 2 ** 1100 is Infinity
    assert.deepEqual(waits.slice(0, 4), [500, 1000, 1500, 1500]);
    assert.equal(waits.at(-1), 1500);
  });
});

test("createRetryFetch() takes a Retry-After that it cannot read for none", async () => {
  const garbage = [
    ..."-5|soon||+5|1e3|0x10|Infinity|NaN|5 s|5, 5|5;|'5'|now|Soon 1|Monday 5|May 5|Wait 5 minutes".split("|"),
    ..."2026-01-01|2099-01-01T00:00:00Z|Sun, 06 Nov 1994|08:49:37|Sun, 99 Nov 1994 99:99:99 GMT|null".split("|"),
  ];
  for (const value of garbage) {
    assert.equal(await waitFor(answer(503, value), { random: 0.5 }), 500, value);
    assert.equal(await waitFor(answer(429, value), { random: 0.5 }), 5000, value);
  }
});

test("createRetryFetch() returns an answer at once, as it is, when Retry-After is beyond maxDelay", async () => {
  const absurd = ["3", "61", "99999999999", "9".repeat(400), "1".repeat(5000), "Fri, 31 Dec 9999 23:59:59 GMT"];
  for (const value of absurd) {
    for (const method of ["GET", "POST"]) {
      const first = answer(429, value)();
      const { fetch, sent } = createRecorder(() => first);
      const response = await createRetryFetch({ limit: 5, maxDelay: 2999, fetch })(PLACE, { method });
      assert.equal(response, first);
      assert.equal(response.bodyUsed, false);
      assert.equal(sent.length, 1);
    }
  }
});

test("createRetryFetch() waits no longer than maxDelay", async () => {
  for (const value of ["2", "0", undefined]) {
    const wait = await waitFor(answer(429, value), { random: 0.999, maxDelay: 2000 });
    assert.ok(wait !== undefined && wait <= 2000, `${wait}`);
  }
});

test("createRetryFetch() does not come back before a real Retry-After", async () => {
  const order: string[] = [];
  const { fetch } = createRecorder(() => {
    setTimeout(() => order.push("it is time"), 1000);
    return answer(429, "1")();
  }, () => {
    order.push("asked again");
    return new Response();
  });
  assert.equal((await createRetryFetch({ maxDelay: 1100, fetch })(PLACE)).status, 200);
  assert.deepEqual(order, ["it is time", "asked again"]);
});
