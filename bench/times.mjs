/**
 * What is timed: always against bare fetch on the same runtime in the same round, on a server that asks for nothing but
 * spends as much on it. Laps have new processes, since two of one client differ by up to a tenth for as long as they
 * live, which no number of rounds evens out; how far the laps lie apart gives the error.
 */
import * as processes from "./processes.mjs";
import { startServer } from "./server.mjs";

const { commandOf, credentials, mean, median, shuffled, standardError } = processes;

const FAR = { setUp: 40, latency: 20 }; // ms
const FULL = { scriptLaps: 8, scriptRounds: 3, speedLaps: 12, speedRounds: 10, warmUpCalls: 5000, peerLaps: 3 };
// Shows that all works, and little else.
const QUICK = { scriptLaps: 1, scriptRounds: 1, speedLaps: 1, speedRounds: 2, warmUpCalls: 300, peerLaps: 0 };

/** Their columns, each of them on each runtime; a second measure stands in parentheses. */
const TABLES = {
  scripts: { process: ["start"], "first call": ["first"], "later call": ["later"] },
  "calls per second (CPU)": { "1 caller": ["rate1", "cpu1"], "16 callers": ["rate16", "cpu16"] },
};

/** How far from the floor ours may be with 16 callers; and how far each measure of ours is beyond what it may be. */
const ALLOWED = { digest: 0.03, atlas: 0.06 };
const EXCESS = {
  start: (ratio) => ratio - 1.06,
  rate16: (ratio, floor, allowed) => floor - ratio - allowed,
  cpu16: (ratio, floor, allowed) => ratio - floor - allowed,
};

export async function time({ runtimes, quick, say }) {
  const plan = quick ? QUICK : FULL;
  const clients = processes.findClients(runtimes).filter(({ isProgram }) => !isProgram);
  const laps = {}; // ratios, by client, measure and runtime
  for (const [count, work] of [[plan.scriptLaps, runScripts], [plan.speedLaps, runWorkers]]) {
    for (let lap = 0; lap < count; lap++) {
      say(`${work.name}, lap ${lap + 1} of ${count}`);
      for (const runtime of runtimes) {
        const withPeers = lap < plan.peerLaps; // they are far off: few laps will do
        const entrants = entrantsOn(runtime, clients.filter(({ isEverywhere }) => isEverywhere || withPeers));
        const rounds = await work(entrants, plan);
        for (const [index, { id }] of entrants.entries()) {
          for (const measure of Object.keys(rounds[0][0])) {
            const ratio = median(rounds.map((values) => values[index][measure] / values[0][measure]));
            (laps[`${id}, ${measure}, ${runtime.name}`] ??= []).push(ratio);
          }
        }
      }
    }
  }
  const tables = Object.entries(TABLES).map(([name, columns]) => [name, tableOf(clients, laps, runtimes, columns)]);
  return { tables: Object.fromEntries(tables) };
}

/** The first is the baseline; the second is the same code, and so the noise. */
function entrantsOn(runtime, clients) {
  const [fetch, ...digests] = clients.filter(({ hosts }) => hosts.includes(runtime))
    .map((client) => ({ ...client, command: commandOf(client, runtime), isOpen: client.id === "fetch" }));
  return [fetch, { ...fetch, id: "again", name: "fetch, once more" }, ...digests];
}

/** New processes, which call a near server once or a far one eleven times. */
async function runScripts(entrants, { scriptRounds }) {
  const rounds = [];
  for (let round = 0; round < scriptRounds; round++) {
    const near = await runEach(entrants, {}, 1);
    const far = await runEach(entrants, FAR, 11);
    rounds.push(entrants.map(({ id }) => ({ start: near[id].ms, first: far[id].firstMs, later: far[id].laterMs })));
  }
  return rounds;
}

async function runEach(entrants, delays, calls) {
  const [open, digest] = [await startServer({ isOpen: true, ...delays }), await startServer(delays)];
  const results = {};
  for (const { id, command, isOpen } of shuffled(entrants)) {
    const { username, password } = credentials;
    const { url } = isOpen ? open : digest;
    results[id] = await processes.runOnce([...command, url, username, password, String(calls)]);
    if (results[id].failed > 0) throw new Error(`${command.join(" ")} had a call that failed`);
  }
  open.close();
  digest.close();
  return results;
}

/** Long-lived processes, which take turns again and again. */
async function runWorkers(entrants, { speedRounds, warmUpCalls }) {
  const workers = [];
  for (const { command, isOpen } of entrants) {
    const server = await startServer({ isOpen });
    const worker = processes.startWorker(command);
    await worker.ask({ task: "create", url: server.url, ...credentials });
    await worker.ask({ task: "calls", calls: warmUpCalls, callers: 1 }); // until the compiler has done its work
    workers.push({ ...worker, server });
  }
  const rounds = [];
  for (let round = 0; round < speedRounds; round++) {
    const [one, many] = [await takeTurns(workers, 1), await takeTurns(workers, 16)];
    rounds.push(workers.map((_, index) => ({
      rate1: 1 / one[index].ms,
      cpu1: one[index].cpuMs,
      rate16: 1 / many[index].ms,
      cpu16: many[index].cpuMs,
    })));
  }
  for (const { server, end } of workers) {
    end();
    server.close();
  }
  return rounds;
}

/** Each in four parts, so that what slows the machine for a moment slows everybody, and the collector has its share. */
async function takeTurns(workers, callers) {
  const totals = workers.map((worker) => ({ ...worker, ms: 0, cpuMs: 0 }));
  for (let part = 0; part < 4; part++) {
    for (const total of shuffled(totals)) {
      await total.ask({ task: "calls", calls: 16, callers }); // wakes what has slept since the last turn
      const { ms, cpuMs, failed } = await total.ask({ task: "calls", calls: 64, callers });
      if (failed > 0) throw new Error("A call failed");
      total.ms += ms;
      total.cpuMs += cpuMs;
    }
  }
  return totals;
}

function tableOf(clients, laps, runtimes, heads) {
  const columns = Object.entries(heads).flatMap(([head, measures]) =>
    runtimes.map(({ name }) => ({ head: `${head}, ${name}`, measures, runtime: name }))
  );
  const lapsOf = (id, measure, runtime) => laps[`${id}, ${measure}, ${runtime}`] ?? [];
  const rows = [{ id: "again", name: "fetch, once more" }, ...clients.filter(({ id }) => id !== "fetch")];
  function ratio(id, measure, runtime) {
    const own = lapsOf(id, measure, runtime);
    const text = own.length === 0 ? "" : mean(own).toFixed(2);
    return isMiss(id, measure, own, lapsOf("floor", measure, runtime)) ? `**${text}**` : text;
  }
  function error(measure, runtime) {
    const errors = rows.map(({ id }) => standardError(lapsOf(id, measure, runtime))).filter((value) => value >= 0);
    return errors.length === 0 ? "" : Math.max(...errors).toFixed(2);
  }
  const cells = (text) =>
    columns.map(({ measures, runtime }) => {
      const [first, second] = measures.map((measure) => text(measure, runtime));
      return second ? `${first} (${second})` : first;
    });
  return [
    ["client", ...columns.map(({ head }) => head)],
    ...rows.map(({ id, name }) => [name, ...cells((measure, runtime) => ratio(id, measure, runtime))]),
    ["standard error, at most", ...cells(error)],
  ];
}

/** Whether ours is further off than it may be by more than the measurement is uncertain. */
function isMiss(id, measure, laps, floor) {
  if (!(id in ALLOWED && measure in EXCESS)) return false;
  const excess = laps.map((ratio, lap) => EXCESS[measure](ratio, floor[lap], ALLOWED[id]));
  return mean(excess) > standardError(excess);
}
