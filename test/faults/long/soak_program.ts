/**
 * The client's side of the soak, a process of its own: it makes calls in batches, looks at what it holds after each, and
 * adds both to a file. It is told all by one JSON argument, and must end by itself.
 */
import { getEventListeners } from "node:events";
import { appendFileSync } from "node:fs";
import { inspect } from "node:util";
import type { ApiKey, ServiceAccount } from "../../../mod.ts";
import type { Outcome } from "../soak.ts";
import { onNewConnections } from "../new_connections.ts";

export interface Orders {
  url: string;
  key: ApiKey;
  account: ServiceAccount;
  accessToken: string;
  batches: number;
  /** Calls in each batch, and how many of them at once. */
  size: number;
  atOnce: number;
  /** Where the batches go, each a line of JSON. */
  report: string;
}

/** What the process holds between two batches, when nothing is under way. */
export interface Holdings {
  heap: number;
  /** Timers, sockets and whatever else would keep it running, by kind. */
  resources: Record<string, number>;
  listeners: number;
}

export interface Batch {
  outcomes: Outcome[];
  holdings: Holdings;
  warnings: string[];
  /** The calls whose connection was refused at least once. */
  refused: string[];
}

const LIMIT = 5000; // ms, of every other call

const orders: Orders = JSON.parse(process.argv[2] ?? "");
let warnings: string[] = [];
let refused: string[] = [];
process.on("warning", (warning) => warnings.push(inspect(warning)));

// Before the library is loaded, so that it takes it for the runtime's own.
const { fetch } = globalThis;
globalThis.fetch = async (input, init) => {
  try {
    return await fetch(input, init);
  } catch (error) {
    const call = new Headers(init?.headers).get("x-call");
    if (call && /ECONNREFUSED|client error \(Connect\)/.test(inspect(error))) refused.push(call);
    throw error;
  }
};
const { createSoak } = await import("../soak.ts");

const { signal } = new AbortController();
const call = createSoak({ ...orders, signal, limit: LIMIT, ofPosts: onNewConnections() });
let number = 0;
for (let batch = 1; batch <= orders.batches; batch++) {
  const outcomes: Outcome[] = [];
  const worker = async () => {
    while (number < batch * orders.size) outcomes.push(await call(number++));
  };
  await Promise.all(Array.from({ length: orders.atOnce }, worker));
  const line: Batch = { outcomes, holdings: await look(), warnings, refused };
  appendFileSync(orders.report, `${JSON.stringify(line)}\n`);
  [warnings, refused] = [[], []];
}

/** Looks once all is at rest, if it ever is: sockets of aborted calls close a little later, a mint goes on for 10 s. */
async function look(): Promise<Holdings> {
  let resources = resourcesInUse();
  for (let waits = 0; waits < 120; waits++) {
    await new Promise((resolve) => setTimeout(resolve, 100));
    resources = resourcesInUse();
    if (!resources.Timeout && !resources.TCPSocketWrap) break;
  }
  globalThis.gc?.();
  return { heap: process.memoryUsage().heapUsed, resources, listeners: getEventListeners(signal, "abort").length };
}

function resourcesInUse(): Record<string, number> {
  const resources: Record<string, number> = {};
  for (const kind of process.getActiveResourcesInfo()) resources[kind] = (resources[kind] ?? 0) + 1;
  return resources;
}
