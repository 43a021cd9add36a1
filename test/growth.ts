/** How the cost of some work grows with its size: by ratios, which a slow or busy machine does not change. */
import assert from "node:assert/strict";

/**
 * Asserts that twice the size costs at most 2.5 times as much, in the median of five doublings from 500 to 16,000: few
 * enough for a run without garbage collection, many enough for quadratic cost to show, of which each would be four times.
 */
export async function assertLinear(what: string, work: (size: number) => unknown): Promise<void> {
  const MIN_RUNS = 3;
  const MAX_RUNS = 30;
  const sizes = [500, 1000, 2000, 4000, 8000, 16_000];
  // Of each size the fastest run counts, the one that was disturbed least.
  const durations = sizes.map(() => Infinity);
  for (let run = 1; run <= MAX_RUNS; run++) {
    for (const [index, size] of sizes.entries()) {
      durations[index] = Math.min(durations[index] ?? Infinity, await durationOf(() => work(size)));
    }
    if (run >= MIN_RUNS && medianGrowth(durations) <= 2.5) return;
  }
  assert.fail(`${what}: ${durations.map((ms) => ms.toFixed(3)).join(", ")} ms for ${sizes.join(", ")}`);
}

/** In ms: by the clock, which runs on while others have the processor, or by CPU time, in which the runtime's other threads count. */
async function durationOf(work: () => unknown): Promise<number> {
  const usage = process.cpuUsage();
  const start = performance.now();
  await work();
  const byClock = performance.now() - start;
  const { user, system } = process.cpuUsage(usage);
  return Math.min(byClock, (user + system) / 1000 || byClock); // short work takes no CPU time that could be counted
}

/** From each duration to the next. */
function medianGrowth([first = 0, ...rest]: readonly number[]): number {
  let last = first;
  const growths = rest.map((duration) => {
    const growth = duration / last;
    last = duration;
    return growth;
  });
  return growths.sort((a, b) => a - b)[Math.floor(growths.length / 2)] ?? Infinity;
}
