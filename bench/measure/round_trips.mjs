/**
 * Counts, not times: requests and failed calls under each nonce rule. They are the same on a busy machine, but for
 * the rule that goes by the clock, ms100.
 */
import { startWorker } from "../processes.mjs";

export const RULE_NAMES = {
  reusable: "reusable, each count once",
  rising: "reusable, counts must rise",
  jetty: "Jetty's: 60 s, 1024 uses",
  stale50: "stale after 50 uses",
  nextnonce: "one-time, with nextnonce",
  onetime: "one-time",
  ms100: "lives 100 ms (answers take 10 ms)",
};

/** Those whose nonces serve many calls: one request a call is possible also for calls made at once. */
export const SHARED_NONCE_RULES = ["reusable", "rising", "jetty"];

const REORDER_MS = 6;
const SIZES = [16, 64];

export async function measureRoundTrips({ server, clients, quick, credentials, say }) {
  const rows = [];
  for (const client of clients.filter(({ id }) => id !== "fetch")) {
    say(client.name);
    for (const rule of Object.keys(RULE_NAMES)) {
      let worker;
      const modes = [sequence(rule, quick)];
      if (client.parallel && (!quick || client.ours && SHARED_NONCE_RULES.includes(rule))) {
        modes.push(
          ...SIZES.map((size) => bursts(size, rule, quick)),
          ...SIZES.map((size) => reorderedBursts(size, quick)),
        );
      }
      for (const mode of modes) {
        // urllib's count is its module's: under the rule that limits it, one cell's calls must not go into the next.
        const alone = rule === "jetty" && !quick;
        if (alone) worker?.end();
        if (alone || worker === undefined) worker = startWorker(client.command);
        const listener = await server.listen({ twin: "digest", rule, ...mode.delays });
        const create = () => worker.ask({ task: "create", url: listener.url, ...credentials });
        const counted = await mode.run(worker, create, listener);
        await listener.close();
        rows.push({ client: client.id, rule, mode: mode.name, ...counted });
      }
      worker.end();
    }
  }
  return rows;
}

/**
 * Calls in a sequence, the first of them included. Jetty's rule needs 1,500 to show whose counts outgrow a nonce's
 * 1,024 uses; 450 show who writes the count in decimal.
 */
function sequenceCalls(rule, quick) {
  if (rule === "jetty") return quick ? 450 : 1500;
  if (rule === "ms100") return quick ? 30 : 100;
  return 201;
}

function sequence(rule, quick) {
  const task = { task: "calls", calls: sequenceCalls(rule, quick) - 1, callers: 1 };
  return {
    name: "sequence",
    delays: rule === "ms100" ? { latency: 10 } : {},
    run: (worker, create, listener) => afterFirstCall(worker, create, listener, task),
  };
}

/** Under Jetty's rule enough bursts to outlive a nonce. */
function bursts(size, rule, quick) {
  const calls = quick ? 128 : rule === "jetty" ? 1280 : 320;
  return {
    name: `bursts of ${size}`,
    delays: {},
    run: (worker, create, listener) =>
      afterFirstCall(worker, create, listener, {
        task: "bursts",
        bursts: calls / size,
        size,
      }),
  };
}

async function afterFirstCall(worker, create, listener, task) {
  await create();
  const first = await worker.ask({ task: "calls", calls: 1, callers: 1 });
  const firstCounts = await listener.counts();
  const steady = await worker.ask(task);
  return {
    ...summary([first, steady]),
    calls: steady.calls, // those that `requests` were for
    callsMade: first.calls + steady.calls,
    ...pick(await listener.counts()),
    firstCall: pick(firstCounts),
  };
}

/** Every second burst is a new client's first: then all its calls ask for a challenge at once. */
function reorderedBursts(size, quick) {
  const calls = quick ? 128 : 384;
  return {
    name: `bursts of ${size}, reordered`,
    delays: { reorder: REORDER_MS },
    async run(worker, create, listener) {
      const results = [];
      for (let pair = 0; pair < calls / (2 * size); pair++) {
        await create();
        results.push(await worker.ask({ task: "bursts", bursts: 2, size }));
      }
      return { ...summary(results), calls, callsMade: calls, ...pick(await listener.counts()) };
    },
  };
}

function summary(results) {
  return {
    failed: results.reduce((sum, { failed }) => sum + failed, 0),
    firstFailure: results.find(({ failed }) => failed > 0)?.firstFailure,
  };
}

function pick({ requests, unauthorized, connections }) {
  return { requests, unauthorized, connections };
}
