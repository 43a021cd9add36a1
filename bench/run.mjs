/**
 * npm start: measures everything, prints what it must show, writes results.json, the plots and README's tables.
 * `--quick` (or BENCH_ROUNDS=n) takes fewer rounds, and a quick run writes nothing but results/quick.json, which Git
 * does not keep: counts are exact in it, times are not worth showing. So does a run of some sections (`--only=`).
 */
import { mkdirSync, writeFileSync } from "node:fs";
import os from "node:os";
import process from "node:process";
import { installOurs } from "./install_ours.mjs";
import { measureAgeing } from "./measure/ageing.mjs";
import { measureBodies } from "./measure/bodies.mjs";
import { measureColdStart, measureFirstCall } from "./measure/first_call.mjs";
import { measureLatency } from "./measure/latency.mjs";
import { measureRoundTrips } from "./measure/round_trips.mjs";
import { measureSize } from "./measure/size.mjs";
import { measureSpeed } from "./measure/speed.mjs";
import { findClients } from "./peers.mjs";
import { here, startServer } from "./processes.mjs";
import { writeReport } from "./report.mjs";
import { judge } from "./targets.mjs";

const quick = process.argv.includes("--quick");
const only = process.argv.find((argument) => argument.startsWith("--only="))
  ?.slice(7).split(",");
const fewer = process.env.BENCH_ROUNDS ?? (quick ? "2" : undefined);
if (fewer !== undefined && !(Number.isInteger(Number(fewer)) && Number(fewer) >= 2)) {
  throw new RangeError(`Cannot run BENCH_ROUNDS=${fewer}: it must be at least 2`);
}

const credentials = { username: "benchkey", password: "0ad5ed61-b06c-4d49-89b1-38f1bc35a6b8" };

/** As many rounds as a quarter of an hour holds; "fetch again" tells what noise they leave. */
const sections = {
  size: { measure: measureSize },
  roundTrips: { measure: measureRoundTrips },
  bodies: { measure: measureBodies },
  ageing: { measure: measureAgeing },
  latency: { measure: measureLatency, rounds: 18 },
  firstCall: { measure: measureFirstCall, rounds: 90 },
  coldStart: { measure: measureColdStart, rounds: 72 },
  speed: { measure: measureSpeed, rounds: 240 },
};

installOurs();
const clients = findClients();
const server = startServer(credentials);
const results = {
  quick,
  machine: `Node ${process.version} on ${os.type()} ${os.arch()}, ${os.cpus().length} cores`,
  clients: clients.map(({ id, name, version, ours }) => ({ id, name, version, ours })),
};
const begun = performance.now();
try {
  for (const [name, { measure, rounds: enough }] of Object.entries(sections)) {
    if (only !== undefined && !only.includes(name)) continue;
    const say = (text) => process.stderr.write(`${elapsed().padStart(6)} ${name}: ${text}\n`);
    say("begins");
    const rounds = fewer === undefined ? enough : Number(fewer);
    results[name] = rounded(await measure({ server, clients, rounds, quick, credentials, say }));
  }
} finally {
  server.end();
}
results.targets = judge(results);
results.minutes = rounded((performance.now() - begun) / 60_000);

for (const { client, what, target, measured, pass, exact } of results.targets) {
  const verdict = quick && !exact ? "----" : pass ? "pass" : "MISS"; // a quick run's times say nothing
  console.log(`${verdict}  ${client}: ${what}: ${measured} (target: ${target})`);
}
if (results.targets.some(({ pass, exact }) => exact && !pass)) process.exitCode = 1;
if (quick || only !== undefined) {
  mkdirSync(here("results"), { recursive: true });
  writeFileSync(here("results/quick.json"), `${JSON.stringify(results, null, 2)}\n`);
} else {
  writeFileSync(here("results.json"), `${JSON.stringify(results, null, 2)}\n`);
  writeReport(results);
}

function elapsed() {
  return `${((performance.now() - begun) / 1000).toFixed(0)} s`;
}

/** Four digits say all that a run can know, and keep results.json readable. */
function rounded(value) {
  if (typeof value === "number") {
    return Number.isInteger(value) ? value : Number(value.toPrecision(4));
  }
  if (Array.isArray(value)) return value.map(rounded);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, rounded(part)]));
}
