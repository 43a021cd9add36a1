/** Calls per second and CPU per call, against bare fetch, in interleaved slices. */
import { startWorker } from "../processes.mjs";
import { entrants, takeRounds } from "../rounds.mjs";
import { medianRatio } from "../statistics.mjs";

/**
 * The calls in a slice, and the slices (`parts`) in a round: short slices interleave finely, but the collector runs
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
  const runners = [];
  say("warms up");
  for (const entrant of entrants(clients)) {
    const worker = startWorker(entrant.client.command);
    const listener = await server.listen({ twin: entrant.twin, rule: "reusable" });
    await worker.ask({ task: "create", url: listener.url, ...credentials });
    if (!quick) await worker.ask({ task: "calls", calls: WARM_UP_CALLS, callers: 1 });
    runners.push({ ...entrant, worker, listener });
  }
  const rows = [];
  for (const { callers, calls, parts } of SLICES) {
    const able = runners.filter(({ client }) => callers === 1 || client.parallel)
      .map((runner) => ({ ...runner, rounds: [] }));
    const sayCallers = (text) => say(`callers: ${callers}, ${text}`);
    await takeRounds({ runners: able, rounds, parts: quick ? 1 : parts, say: sayCallers }, async (runner, round) => {
      // Some calls to wake what has slept since this client's last turn.
      await runner.worker.ask({ task: "calls", calls: Math.max(callers, 10), callers });
      const slice = await runner.worker.ask({ task: "calls", calls, callers });
      (runner.rounds[round] ??= []).push(slice);
    });
    rows.push(...able.map((runner) => rowOf(runner, able[0], callers)));
  }
  for (const { worker, listener } of runners) {
    worker.end();
    await listener.close();
  }
  return rows;
}

function rowOf(runner, baseline, callers) {
  const slices = runner.rounds.flat();
  const against = (figure) => medianRatio(runner.rounds.map(figure), baseline.rounds.map(figure));
  const row = {
    entrant: runner.id,
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
