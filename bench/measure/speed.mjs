/** Calls per second and CPU per call, against bare fetch, in interleaved slices. */
import { shuffled } from "../interleave.mjs";
import { ratioOfMedians } from "../statistics.mjs";
import { startWorker } from "../processes.mjs";

/** Calls in a slice, by callers: long enough (some 50 ms) for the clock, short enough to interleave finely. */
const SLICES = { 1: 200, 16: 400, 64: 640 };
const QUICK_SLICES = { 1: 40, 16: 96, 64: 128 };

/** Those whose distance to bare fetch is far beyond the noise: a third of the rounds tells it. */
const SELDOM = ["urllib", "mongodb_atlas_api_client", "axios_digest_auth", "curl", "requests", "httpx"];

export async function measureSpeed({ server, clients, rounds, quick, credentials, say }) {
  const listeners = {
    digest: await server.listen({ twin: "digest", rule: "reusable" }),
    equal: await server.listen({ twin: "equal", rule: "reusable" }),
    open: await server.listen({ twin: "open", rule: "reusable" }),
  };
  const runners = [];
  for (const entrant of entrants(clients)) {
    const worker = startWorker(entrant.client.command);
    const { url } = listeners[entrant.twin];
    await worker.ask({ task: "create", url, ...credentials });
    runners.push({ ...entrant, worker, slices: {} });
  }
  // The compiler's work is over before the first slice counts.
  const slices = quick ? QUICK_SLICES : SLICES;
  for (let lap = 0; lap < (quick ? 0 : 4); lap++) await round(runners, lap, slices, () => {});
  for (let lap = 0; lap < rounds; lap++) {
    if (lap % 10 === 0) say(`round ${lap + 1} of ${rounds}`);
    const present = runners.filter(({ id }) => lap % 3 === 0 || !SELDOM.includes(id));
    await round(present, lap, slices, (runner, callers, slice) => {
      (runner.slices[callers] ??= new Map()).set(lap, slice);
    });
  }
  for (const { worker } of runners) worker.end();
  for (const listener of Object.values(listeners)) await listener.close();
  return runners.flatMap((runner) => rowsOf(runner, runners[0]));
}

/** The first is the baseline; "again" is the same code, and so the noise. */
export function entrants(clients) {
  const fetchClient = clients.find(({ id }) => id === "fetch");
  return [
    { id: "fetch", client: fetchClient, twin: "equal" },
    { id: "fetch again", client: fetchClient, twin: "equal" },
    { id: "fetch, open", client: fetchClient, twin: "open" },
    ...clients.filter(({ id }) => id !== "fetch").map((client) => ({
      id: client.id,
      client,
      twin: "digest",
    })),
  ];
}

async function round(runners, lap, slices, take) {
  for (const callers of Object.keys(slices).map(Number)) {
    for (const runner of shuffled(runners, lap)) {
      if (callers > 1 && !runner.client.parallel) continue;
      // Some calls to wake what has slept since this client's last turn.
      await runner.worker.ask({ task: "calls", calls: callers + 10, callers });
      const slice = await runner.worker.ask({ task: "calls", calls: slices[callers], callers });
      take(runner, callers, slice);
    }
  }
}

function rowsOf(runner, baseline) {
  return Object.entries(runner.slices).map(([callers, byLap]) => {
    const slices = [...byLap.values()];
    const base = [...byLap.keys()].map((lap) => baseline.slices[callers].get(lap));
    const row = {
      entrant: runner.id,
      callers: Number(callers),
      calls: slices.reduce((sum, { calls }) => sum + calls, 0),
      failed: slices.reduce((sum, { failed }) => sum + failed, 0),
      callsPerSecond: ratioOfMedians(slices.map(perSecond), base.map(perSecond)),
    };
    if (slices[0].cpuMs === undefined) return row;
    return { ...row, cpu: ratioOfMedians(slices.map(cpuPerCall), base.map(cpuPerCall)) };
  });
}

/** Of calls that succeeded: a refused call is quick, and worth nothing. */
function perSecond({ calls, failed, ms }) {
  return (calls - failed) / (ms / 1000);
}

function cpuPerCall({ calls, cpuMs }) {
  return cpuMs / calls;
}
