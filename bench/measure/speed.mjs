/** Calls per second and CPU per call, against bare fetch, in interleaved slices. */
import { startWorker } from "../processes.mjs";
import { entrants, takeRounds } from "../rounds.mjs";
import { medianRatio } from "../statistics.mjs";

/**
 * Calls in a slice, by callers: short, to interleave finely, but not shorter. The collector runs about every 190th
 * call; it must have its part in most slices, else the median leaves it out.
 */
const SLICES = { 1: 200, 16: 256, 64: 320 };
const QUICK_SLICES = { 1: 40, 16: 96, 64: 128 };

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
  const slices = quick ? QUICK_SLICES : SLICES;
  const rows = [];
  for (const callers of Object.keys(slices).map(Number)) {
    const able = runners.filter(({ client }) => callers === 1 || client.parallel)
      .map((runner) => ({ ...runner, slices: [] }));
    const sayCallers = (text) => say(`callers: ${callers}, ${text}`);
    await takeRounds({ runners: able, rounds, say: sayCallers }, async (runner, round) => {
      // Some calls to wake what has slept since this client's last turn.
      await runner.worker.ask({ task: "calls", calls: callers + 10, callers });
      runner.slices[round] = await runner.worker.ask({ task: "calls", calls: slices[callers], callers });
    });
    rows.push(...able.map((runner) => rowOf(runner, able[0], callers)));
  }
  for (const { worker, listener } of runners) {
    worker.end();
    await listener.close();
  }
  return rows;
}

function rowOf({ id, slices }, baseline, callers) {
  const taken = slices.filter(() => true);
  const against = (figure) => medianRatio(slices.map(figure), baseline.slices.map(figure));
  const row = {
    entrant: id,
    callers,
    calls: taken.reduce((sum, { calls }) => sum + calls, 0),
    failed: taken.reduce((sum, { failed }) => sum + failed, 0),
    callsPerSecond: against(perSecond),
  };
  return taken[0].cpuMs === undefined ? row : { ...row, cpu: against(cpuPerCall) };
}

/** Of calls that succeeded: a refused call is quick, and worth nothing. */
function perSecond({ calls, failed, ms }) {
  return (calls - failed) / (ms / 1000);
}

function cpuPerCall({ calls, cpuMs }) {
  return cpuMs / calls;
}
