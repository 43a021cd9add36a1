/** The mean time of a call when each answer takes 20 ms: what a user of a far server waits. */
import { startWorker } from "../processes.mjs";
import { entrants, takeRounds } from "../rounds.mjs";
import { medianRatio } from "../statistics.mjs";

const LATENCY_MS = 20;

export async function measureLatency({ server, clients, rounds, quick, credentials, say }) {
  const calls = quick ? 5 : 10; // in a slice
  const runners = [];
  for (const entrant of entrants(clients).filter(({ twin }) => twin !== "open")) {
    const worker = startWorker(entrant.client.command);
    const listener = await server.listen({ twin: entrant.twin, rule: "reusable", latency: LATENCY_MS });
    await worker.ask({ task: "create", url: listener.url, ...credentials });
    await worker.ask({ task: "calls", calls, callers: 1 });
    runners.push({ ...entrant, worker, listener, times: [], failed: 0 });
  }
  await takeRounds({ runners, rounds, say }, async (runner, round) => {
    const slice = await runner.worker.ask({ task: "calls", calls, callers: 1 });
    runner.times[round] = slice.ms / calls;
    runner.failed += slice.failed;
  });
  for (const { worker, listener } of runners) {
    worker.end();
    await listener.close();
  }
  return runners.map(({ id, times, failed }) => ({
    entrant: id,
    failed,
    latency: medianRatio(times, runners[0].times),
  }));
}
