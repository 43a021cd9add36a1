/** Who takes part and on which runtimes, processes of them, and what laps of new processes tell. */
import { spawn, spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

export const here = fileURLToPath(new URL(".", import.meta.url));
export const credentials = { username: "benchkey", password: "0ad5ed61-b06c-4d49-89b1-38f1bc35a6b8" };

const PYTHON = "/usr/bin/python3"; // Debian's, which has the package; another may come first in PATH
const PATIENCE_MS = 300_000;

/** `library` is what a user installs, `uses` what is imported of it; `id` is the client in client.mjs. */
const CLIENTS = [
  { id: "fetch", name: "fetch", isEverywhere: true },
  { id: "floor", name: "the least Digest can do", isEverywhere: true },
  { id: "digest", name: "atlas-fetch/digest", library: "atlas-fetch", uses: "createDigestFetch", isEverywhere: true },
  { id: "atlas", name: "atlas-fetch", library: "atlas-fetch", uses: "createAtlasFetch", isEverywhere: true },
  { id: "digest-fetch", library: "digest-fetch", uses: "default" },
  { id: "urllib", library: "urllib", uses: "request" },
  { id: "mongodb-atlas-api-client", library: "mongodb-atlas-api-client", uses: "default" },
  { id: "axios-digest-auth", library: "@mhoc/axios-digest-auth", uses: "default" },
  { id: "curl", name: "curl (command)", program: ["curl", "--version"] },
  { id: "requests", name: "requests (Python)", program: [PYTHON, "-c", "import requests as r; print(r.__version__)"] },
];

/** What test/interop has installed. What is missing is skipped, and this says so. */
export function findRuntimes() {
  const modules = join(here, "../test/interop/node_modules");
  // Deno finds packages as npm has installed them here, not as deno.json says.
  const denoOptions = ["run", "--allow-all", "--no-config", "--node-modules-dir=manual", "--no-check"];
  const runtimes = [
    { name: "Node 20", command: [join(modules, "node20/bin/node")], isNode: true },
    { name: "Node 26", command: [join(modules, "node26/bin/node")], isNode: true },
    { name: "Deno", command: [join(modules, "deno/deno"), ...denoOptions] },
    { name: "Bun", command: [join(modules, ".bin/bun")] },
  ].map((runtime) => ({ ...runtime, version: versionOf(runtime.command[0], "--version") }));
  const found = runtimes.filter(isInstalled);
  if (found.some(({ isNode }) => isNode)) return found;
  return [{ name: "Node", command: [process.execPath], isNode: true, version: process.versions.node }, ...found];
}

/** Each with its version, and the runtimes that it is asked on. */
export function findClients(runtimes) {
  const nodes = runtimes.filter(({ isNode }) => isNode);
  return CLIENTS.map(({ library, program, name = library, ...client }) => {
    const manifest = library && readFileSync(join(here, "node_modules", library, "package.json"), "utf8");
    const version = program ? versionOf(...program) : manifest && JSON.parse(manifest).version;
    const hosts = client.isEverywhere ? runtimes : program ? [nodes[0]] : nodes;
    return { ...client, name, library, version, hosts, isProgram: program !== undefined };
  }).filter((client) => !client.isProgram || isInstalled(client));
}

export function commandOf({ id }, runtime) {
  return id === "requests" ? [PYTHON, join(here, "client.py")] : [...runtime.command, join(here, "client.mjs"), id];
}

function isInstalled({ name, version }) {
  if (version === undefined) console.error(`${name} is skipped: CONTRIBUTING.md says how to install it`);
  return version !== undefined;
}

function versionOf(program, ...args) {
  const { status, stdout } = spawnSync(program, args, { encoding: "utf8" });
  return status === 0 ? /\d[\d.]*/.exec(stdout)[0] : undefined;
}

/** It ends when its stdin does, so that none is left behind. */
function start([program, ...args]) {
  return spawn(program, args, { cwd: here, stdio: ["pipe", "pipe", "inherit"], timeout: PATIENCE_MS });
}

/** A process that carries out tasks, one at a time: `ask({ task, ... })` gives the result. */
export function startWorker(command) {
  const child = start(command);
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return {
    async ask(task) {
      child.stdin.write(`${JSON.stringify(task)}\n`);
      const { value, done } = await lines.next();
      if (done) throw new Error(`${command.join(" ")} ended in ${JSON.stringify(task)}`);
      return JSON.parse(value);
    },
    end: () => child.stdin.end(),
  };
}

/** One process from its start to its end: its time in ms, and the JSON that it printed. */
export async function runOnce(command) {
  const begun = performance.now();
  const child = start(command);
  const ended = new Promise((resolve, reject) => child.once("error", reject).once("close", resolve));
  let text = "";
  child.stdout.on("data", (chunk) => text += chunk);
  if (await ended !== 0) throw new Error(`${command.join(" ")} failed`);
  return { ms: performance.now() - begun, ...JSON.parse(text) };
}

/** In an order that is new each time, so that nobody always follows the same one. */
export function shuffled(list) {
  const places = list.map((one) => ({ one, place: Math.random() }));
  return places.sort((a, b) => a.place - b.place).map(({ one }) => one);
}

export function mean(values) {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

export function median(values) {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = (sorted.length - 1) / 2;
  return (sorted[Math.floor(middle)] + sorted[Math.ceil(middle)]) / 2;
}

/** Of the mean of the laps; NaN where there is but one. */
export function standardError(laps) {
  const average = mean(laps);
  const squares = laps.map((value) => (value - average) ** 2);
  return Math.sqrt(mean(squares) / (laps.length - 1));
}
