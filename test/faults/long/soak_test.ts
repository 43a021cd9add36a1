// 20,000 calls of every kind, 32 at once, over a network that breaks every tenth connection; fewer on the other runtimes.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { FAULTS } from "../fault_proxy.ts";
import { type Row, type Scene, tally, withLedger } from "../ledger_scene.ts";
import { paragraph, table, writeSection } from "./report.ts";
import type { Batch, Orders } from "./soak_program.ts";

interface Runtime {
  name: string;
  program: string;
  args: string[];
  batches: number;
  size: number;
}

const modules = fileURLToPath(new URL("../../interop/node_modules/", import.meta.url));
const NODE: Runtime = {
  name: `Node ${process.versions.node.split(".")[0]}`,
  program: process.execPath,
  args: ["--expose-gc", "--import", "tsx"],
  batches: 8,
  size: 2500,
};
const OTHERS: Runtime[] = [
  { name: "Node 26", program: join(modules, "node26/bin/node"), args: [], batches: 1, size: 1500 },
  { name: "Deno", program: join(modules, "deno/deno"), args: ["run", "-A", "--no-check"], batches: 1, size: 1500 },
  { name: "Bun", program: join(modules, ".bin/bun"), args: ["run"], batches: 1, size: 1500 },
];
const PATIENCE = 600_000; // ms; a process that does not end by itself is ended, and the test fails
const HEAD = ["calls", "succeeded", "typed errors", "lost", "executed twice", "leaked"];

const totals: [string, Row][] = [];

/** Makes the calls in a process of that runtime, which must say nothing and end by itself. */
async function callFrom({ program, args, batches, size }: Runtime, scene: Scene): Promise<Batch[]> {
  const folder = await mkdtemp(join(tmpdir(), "atlas-fetch-soak-"));
  try {
    const report = join(folder, "report");
    const { url, key, account, accessToken } = scene;
    const orders: Orders = { url, key, account, accessToken, batches, size, atOnce: 32, report };
    const file = fileURLToPath(new URL("soak_program.ts", import.meta.url));
    const child = spawn(program, [...args, file, JSON.stringify(orders)], { stdio: ["ignore", "pipe", "pipe"] });
    const killing = setTimeout(() => child.kill("SIGKILL"), PATIENCE);
    const [stdout, stderr, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, "exit")]);
    clearTimeout(killing);
    assert.equal(stdout + stderr, "", "It printed something");
    assert.equal(code, 0, "It did not end by itself, or not well");
    const lines = (await readFile(report, "utf8")).trim().split("\n");
    return lines.map((line): Batch => JSON.parse(line));
  } finally {
    await rm(folder, { recursive: true });
  }
}

async function soak(runtime: Runtime): Promise<void> {
  await withLedger({ faults: FAULTS, refusesEvery: 400 }, async (scene) => {
    const batches = await callFrom(runtime, scene);
    const outcomes = batches.flatMap(({ outcomes }) => outcomes);
    const { rows, unaccounted } = tally(outcomes, scene, batches.flatMap(({ refused }) => refused));
    const all = rows.at(-1);
    assert.equal(all?.calls, runtime.batches * runtime.size);
    assert.deepEqual(outcomes.filter(({ end }) => end === "lost"), []);
    assert.deepEqual(unaccounted, []);
    assert.deepEqual([all.executedTwice, all.leaked], [0, 0]);
    assert.deepEqual(scene.ledger.violations, []);
    assert.deepEqual(batches.flatMap(({ warnings }) => warnings), []);
    // Only that it was not all in vain: on a busy machine calls reach their limit.
    assert.ok(all.succeeded >= 0.8 * all.calls, `Only ${all.succeeded} calls succeeded`);
    totals.push([runtime.name, all]);
    if (runtime === NODE) judgeAll(scene, rows, batches);
  });
}

/** What only many calls can show, on a runtime that repeats nothing by itself. */
function judgeAll({ ledger, proxy }: Scene, rows: readonly Row[], batches: readonly Batch[]): void {
  for (const { fault, calls } of rows) assert.ok(calls >= 20, `Only ${calls} calls met: ${fault}`);
  assert.equal(ledger.repeats(), 0, "A request was sent twice, byte for byte");
  assertFlat(batches.map(({ holdings }) => holdings));
  const broken = new Set(proxy.exchanges.flatMap(({ isBroken, connection }) => isBroken ? connection : []));
  const inWords = (count: number) => count.toLocaleString("en");
  const summary = paragraph(
    `${inWords(NODE.batches * NODE.size)} calls, 32 at once, on ${NODE.name}: ${inWords(proxy.exchanges.length)} ` +
      `requests over ${inWords(proxy.connections())} connections, of which ${broken.size} were broken while in use; ` +
      `${ledger.mints()} access tokens. A call that met several faults is counted at each.`,
  );
  const faults = table(["fault", ...HEAD], rows.map((row) => Object.values(row)));
  writeSection("What the network did, and what came of it", `${summary}\n\n${faults}`);
}

/** What it holds after the last batches must be about what it held after the first ones. */
function assertFlat(holdings: readonly Batch["holdings"][]): void {
  const heaps = holdings.map(({ heap }) => heap);
  const [early, late] = [Math.max(...heaps.slice(1, 4)), Math.max(...heaps.slice(-3))];
  assert.ok(late < 1.25 * early, `The heap grew from ${early} to ${late} bytes: ${heaps}`);
  for (const { resources, listeners } of holdings) {
    const { Timeout = 0, TCPSocketWrap = 0, Immediate = 0 } = resources;
    assert.deepEqual({ Timeout, TCPSocketWrap, Immediate }, { Timeout: 0, TCPSocketWrap: 0, Immediate: 0 });
    // Node takes those of its fetch away when it collects garbage.
    assert.ok(listeners < NODE.size, `${listeners} listeners on a signal`);
  }
}

test(`createAtlasFetch() loses no call of 20,000, repeats none, and holds on to nothing`, () => soak(NODE));

for (const runtime of OTHERS) {
  const { name, program } = runtime;
  const title = `createAtlasFetch() loses no call and repeats none on ${name}`;
  if (existsSync(program)) test(title, () => soak(runtime));
  else test(title, { skip: `not installed: ${name}` }, () => {});
}

test("The soak has been run on each runtime", () => {
  const rows = totals.map(([name, { fault: _, ...row }]) => [name, ...Object.values(row)]);
  const note = paragraph(
    "On Deno each POST is sent on a new connection (`Deno.createHttpClient({ poolMaxIdlePerHost: 0 })`): its own fetch " +
      "sends a request again, a POST too, when a connection breaks that was in use before.",
  );
  writeSection("On other runtimes", `${table(["runtime", ...HEAD], rows)}\n\n${note}`);
});
