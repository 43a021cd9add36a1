/** Clocks for tests: one that stands until it is told, and timers that are due at once. */

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
