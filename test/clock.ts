/** Clocks for tests, so that none waits: time stands, is over at once, or jumps from timer to timer. */
import assert from "node:assert/strict";
import { setImmediate as turn } from "node:timers/promises";
import { createRandom } from "./random.ts";

/** Runs the work under a clock that stands, and moves when told. */
export async function withClock(work: (clock: { now: number }) => Promise<void>): Promise<void> {
  const { now } = Date;
  const clock = { now: now() };
  Date.now = () => clock.now;
  try {
    await work(clock);
  } finally {
    Date.now = now;
  }
}

interface Timers {
  /** What `Math.random` gives. */
  random?: number;
  /** What `Date.now` gives. */
  now?: number;
  /** What happens in place of a wait: by default it is over. */
  due?: (callback: () => void) => void;
}

/** Runs the work with timers that are due at once, and gives it the waits that were asked for, in ms. */
export async function withTimers(
  { random = 0, now, due = (callback) => callback() }: Timers,
  work: (waits: number[]) => Promise<void>,
): Promise<void> {
  const originals = { setTimeout: globalThis.setTimeout, random: Math.random, now: Date.now };
  const waits: number[] = [];
  Reflect.set(globalThis, "setTimeout", (callback: () => void, ms?: number) => {
    if (ms === undefined) return originals.setTimeout(callback);
    waits.push(ms);
    queueMicrotask(() => due(callback));
  });
  Math.random = () => random;
  if (now !== undefined) Date.now = () => now;
  try {
    await work(waits);
  } finally {
    globalThis.setTimeout = originals.setTimeout;
    Math.random = originals.random;
    Date.now = originals.now;
  }
}

/**
 * Runs the work under a clock that jumps to the next timer whenever a turn of the event loop is over, with the same
 * random numbers each time.
 */
export async function withJumpingClock(work: () => Promise<void>): Promise<void> {
  const MAX_IDLE_TURNS = 10_000;
  const originals = { setTimeout: globalThis.setTimeout, random: Math.random, now: Date.now };
  let now = Date.now();
  const timers: { due: number; callback: () => void }[] = [];
  const setTimer = (callback: () => void, ms = 0) => void timers.push({ due: now + ms, callback });
  Reflect.set(globalThis, "setTimeout", setTimer);
  Math.random = createRandom(1);
  Date.now = () => now;
  try {
    let isOver = false;
    const done = work().finally(() => isOver = true);
    done.catch(() => {}); // until it is awaited
    for (let idle = 0; !isOver; idle++) {
      assert.ok(idle < MAX_IDLE_TURNS, "It waits for something that is no timer");
      await turn();
      const next = timers.sort((one, other) => one.due - other.due).shift();
      if (!next) continue;
      idle = 0;
      now = Math.max(now, next.due);
      next.callback();
    }
    await done;
  } finally {
    globalThis.setTimeout = originals.setTimeout;
    Math.random = originals.random;
    Date.now = originals.now;
  }
}
