/** Calls per second and CPU per call, against bare fetch, in interleaved slices. */
import { startWorker } from "../processes.mjs";
import { entrants, partakers, shuffled } from "../rounds.mjs";
import { medianRatio } from "../statistics.mjs";

/**
 * Each lap has new processes. What is decided as one starts (what the compiler does, where things lie in memory) moves
 * its ratio by 0.03 to 0.1, and no number of rounds in one process evens that out.
 */
const LAPS = 12;

/**
 * The calls in a slice, and the slices (`parts`) of each client in a round, one after the other's: what slows the
 * machine for a moment slows a part of a turn, not the whole. Short slices interleave finely, but the collector runs
 * about every 190th call, and must have its part in most rounds: else the median leaves it out.
 */
const SLICES = [
  { callers: 1, calls: 50, parts: 4 },
  { callers: 16, calls: 64, parts: 4 },
  { callers: 64, calls: 128, parts: 2 },
];

/** A call costs five times as much before the compiler has done its work. */
const WARM_UP_CALLS = 5000;

export async function measureSpeed({ server, clients, rounds, quick, credentials, say }) {
  const laps = Math.min(LAPS, rounds);
  const perLap = Math.ceil(rounds / laps);
  // For each of SLICES an array of rounds, each an array of slices.
  const all = entrants(clients).map((entrant) => ({ ...entrant, rounds: SLICES.map(() => []) }));
  for (let lap = 0; lap < laps; lap++) {
    say(`lap ${lap + 1} of ${laps}`);
    const runners = [];
    for (const entrant of partakers(all, lap / laps)) {
      const worker = startWorker(entrant.client.command);
      const listener = await server.listen({ twin: entrant.twin, rule: "reusable" });
      await worker.ask({ task: "create", url: listener.url, ...credentials });
      if (!quick) await worker.ask({ task: "calls", calls: WARM_UP_CALLS, callers: 1 });
      runners.push({ ...entrant, worker, listener });
    }
    for (const [index, { callers, calls, parts: enough }] of SLICES.entries()) {
      const parts = quick ? 1 : enough;
      const able = runners.filter(({ client }) => callers === 1 || client.parallel);
      for (let turn = 0; turn < perLap * parts; turn++) {
        for (const { rounds, worker } of shuffled(able, lap * perLap * parts + turn)) {
          // Some calls to wake what has slept since this client's last turn.
          await worker.ask({ task: "calls", calls: Math.max(callers, 10), callers });
          const slice = await worker.ask({ task: "calls", calls, callers });
          (rounds[index][lap * perLap + Math.floor(turn / parts)] ??= []).push(slice);
        }
      }
    }
    for (const { worker, listener } of runners) {
      worker.end();
      await listener.close();
    }
  }
  return SLICES.flatMap(({ callers }, index) =>
    all.filter(({ rounds }) => rounds[index].length > 0)
      .map(({ id, rounds }) => rowOf(id, rounds[index], all[0].rounds[index], callers, perLap))
  );
}

function rowOf(entrant, rounds, baseline, callers, perLap) {
  const slices = rounds.flat();
  const against = (figure) => medianRatio(rounds.map(figure), baseline.map(figure), perLap);
  const row = {
    entrant,
    callers,
    calls: sum(slices, "calls"),
    failed: sum(slices, "failed"),
    callsPerSecond: against(perSecond),
  };
  return slices[0].cpuMs === undefined ? row : { ...row, cpu: against(cpuPerCall) };
}

/** Of calls that succeeded: a refused call is quick, and worth nothing. */
function perSecond(slices) {
  return (sum(slices, "calls") - sum(slices, "failed")) / (sum(slices, "ms") / 1000);
}

function cpuPerCall(slices) {
  return sum(slices, "cpuMs") / sum(slices, "calls");
}

function sum(slices, key) {
  return slices.reduce((total, slice) => total + slice[key], 0);
}
