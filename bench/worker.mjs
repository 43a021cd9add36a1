/** One client in a process of its own. */
import process from "node:process";
import { jsonText, serveTasks } from "./serve_tasks.mjs";

const { createClient } = await import(`./clients/${process.argv[2]}.mjs`);
let options;
let client;

/** The status of one call, or the error's first line: one that throws is a failed call, as one with a 401 is. */
async function outcome(call) {
  try {
    return await call();
  } catch (error) {
    return String(error).split("\n", 1)[0];
  }
}

async function timed(calls, work) {
  const failures = { count: 0, first: undefined };
  const cpuBefore = process.cpuUsage();
  const start = performance.now();
  await work(async () => {
    const status = await outcome(client.get);
    if (status === 200) return;
    failures.count++;
    failures.first ??= status;
  });
  const ms = performance.now() - start;
  const cpu = process.cpuUsage(cpuBefore);
  return {
    calls,
    ms,
    cpuMs: (cpu.user + cpu.system) / 1000,
    failed: failures.count,
    firstFailure: failures.first,
  };
}

const tasks = {
  /** A new client, that knows nothing of the server yet. */
  create(given) {
    options = given;
    client = createClient(options);
  },

  /** `callers` of them at once, each making one call after the other, until `calls` are made. */
  calls({ calls, callers }) {
    let left = calls;
    return timed(calls, async (call) => {
      async function caller() {
        while (left-- > 0) await call();
      }
      await Promise.all(Array.from({ length: callers }, caller));
    });
  },

  /** `bursts` times, one after the other: `size` calls begun in the same moment. */
  bursts({ bursts, size }) {
    return timed(bursts * size, async (call) => {
      for (let burst = 0; burst < bursts; burst++) {
        await Promise.all(Array.from({ length: size }, call));
      }
    });
  },

  async post({ bytes }) {
    return { status: await outcome(() => client.post(jsonText(bytes))) };
  },

  async stream({ bytes }) {
    if (client.stream === undefined) return { status: "none" };
    return {
      status: await outcome(() => client.stream(streamOf(jsonText(bytes)))),
    };
  },

  /**
   * The time of an old client's calls beside that of a young one's, in turns, in one process: else the compiler's
   * warming up is all that would be seen. And the heap of the old one, early and late.
   */
  async ageing({ oldCalls, slices, sliceCalls }) {
    const old = createClient(options);
    // Until then the engine takes and gives back hundreds of kilobytes for itself.
    const settled = oldCalls * 0.7;
    for (let call = 0; call < settled; call++) await old.get();
    const heapEarly = await settledHeap();
    for (let call = settled; call < oldCalls; call++) await old.get();
    const heapLate = await settledHeap();
    const young = [];
    const grown = [];
    for (let slice = 0; slice < slices; slice++) {
      const fresh = createClient(options);
      for (let call = 0; call < 100; call++) await fresh.get();
      // Twice each, in the order young, old, old, young.
      const turns = [[young, fresh], [grown, old]];
      for (const [times, one] of [...turns, ...turns.toReversed()]) {
        const start = performance.now();
        for (let call = 0; call < sliceCalls; call++) await one.get();
        times.push(performance.now() - start);
      }
    }
    return { young, grown, heapGrowth: heapLate - heapEarly, heapCalls: oldCalls - settled };
  },
};

/** Bytes of the heap once the collector has nothing left to take. */
async function settledHeap() {
  for (let turn = 0; turn < 5; turn++) {
    globalThis.gc();
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return process.memoryUsage().heapUsed;
}

/** The text as a stream of 16 KiB chunks: it can be read once. */
function streamOf(text) {
  const bytes = new TextEncoder().encode(text);
  let start = 0;
  return new ReadableStream({
    pull(controller) {
      if (start >= bytes.length) return controller.close();
      controller.enqueue(bytes.subarray(start, start += 16_384));
    },
  });
}

await serveTasks(tasks);
