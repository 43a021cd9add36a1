/** The first call of a new process: over a far server, and as a whole process on a near one. */
import { runOnce, startWorker } from "../processes.mjs";
import { entrants, takeRounds } from "../rounds.mjs";
import { medianRatio } from "../statistics.mjs";

const FAR = { setUp: 40, latency: 20 }; // ms for each new connection, ms for each answer

/** Time of the first call, and the connections that it opened. The import is over before. */
export async function measureFirstCall({ server, clients, rounds, quick, credentials, say }) {
  const firstCall = async (runner) => {
    const { url, counts } = runner.listener;
    const { callMs, status } = runner.client.coldCommand === undefined
      ? await firstCallOfWorker(runner.client, url, credentials)
      : await runOnce(coldCommand(runner.client, url, credentials));
    return { values: { ms: callMs }, status, counts: await counts() };
  };
  const all = entrants(clients).filter(({ twin }) => twin !== "open");
  const runners = await measureRounds({ server, entrants: all, delays: FAR, rounds, quick, say, firstCall });
  return runners.map((runner) => ({
    entrant: runner.id,
    failed: runner.failed,
    requests: mean(runner.counts.map(({ requests }) => requests)),
    connections: mean(runner.counts.map(({ connections }) => connections)),
    time: medianRatio(runner.values.ms, runners[0].values.ms),
  }));
}

/** Start, import, one call, end: the whole process's time and its peak memory, against the same script with fetch. */
export async function measureColdStart({ server, clients, rounds, quick, credentials, say }) {
  const firstCall = async (runner) => {
    const { url, counts } = runner.listener;
    const { ms, peakKiB, status } = await runOnce(coldCommand(runner.client, url, credentials));
    return { values: { ms, peakKiB }, status, counts: await counts() };
  };
  const all = entrants(clients).filter(({ twin, client }) => twin !== "open" && client.coldCommand !== undefined);
  const runners = await measureRounds({
    server,
    entrants: all,
    delays: {},
    rounds,
    quick,
    say,
    firstCall,
  });
  const [{ values: base }] = runners;
  return runners.map(({ id, failed, values }) => ({
    entrant: id,
    failed,
    time: medianRatio(values.ms, base.ms),
    memory: medianRatio(values.peakKiB, base.peakKiB),
  }));
}

async function measureRounds({ server, entrants, delays, rounds, quick, say, firstCall }) {
  const runners = [];
  for (const entrant of entrants) {
    const listener = await server.listen({ twin: entrant.twin, rule: "reusable", ...delays });
    const runner = { ...entrant, listener, values: {}, counts: [], failed: 0 };
    if (!quick) await firstCall(runner); // the files are in the system's cache from now on
    runners.push(runner);
  }
  await takeRounds({ runners, rounds, say }, async (runner, round) => {
    const { values, status, counts } = await firstCall(runner);
    for (const [name, value] of Object.entries(values)) {
      (runner.values[name] ??= [])[round] = value;
    }
    runner.counts.push(counts);
    if (status !== 200) runner.failed++;
  });
  for (const { listener } of runners) await listener.close();
  return runners;
}

function coldCommand(client, url, { username, password }) {
  return [...client.coldCommand, url, username, password];
}

async function firstCallOfWorker(client, url, credentials) {
  const worker = startWorker(client.command);
  await worker.ask({ task: "create", url, ...credentials });
  const { ms, failed } = await worker.ask({ task: "calls", calls: 1, callers: 1 });
  worker.end();
  return { callMs: ms, status: failed === 0 ? 200 : 0 };
}

function mean(values) {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
