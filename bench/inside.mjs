/**
 * What a warm call costs inside the process: `node bench/inside.mjs [folder ...]`, on Node 20 and 26, Deno and Bun.
 *
 * The global fetch is a stub that answers at once, so that nothing but the client is left. GETs of four URLs in turn,
 * all clients interleaved in one process; of each client's rounds the quickest fifth counts, which leaves out the
 * collector and whatever else the machine does. Each lap is a new process, since no two are compiled quite alike. The
 * floor is in microseconds, all else in times of the floor of the same process.
 *
 * It measures the sources as they are, bundled as for npm. Folders are other checkouts to measure beside this one.
 */
import { existsSync, mkdtempSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { createFloor } from "./client.mjs";
import { credentials, findRuntimes, here, mean, runOnce, standardError } from "./processes.mjs";

const LAPS = 5;
const ROUNDS = 150;
const CALLS = 400; // in a round: a millisecond or more, so that a clock of microseconds will do
const WARM_UP_ROUNDS = 60;

/** What ours may cost at most, in times of the floor. */
const AIMS = { "atlas-fetch/digest": 1.4, "atlas-fetch": 1.9 };

/** In a runtime of its own: microseconds a call of each client by its name, for the bundles in a folder. */
async function measureClients(bundles, checkouts) {
  const origin = "https://cloud.mongodb.com";
  const paths = ["/groups", "/groups/32b6e34b3d91647abb20e7b8/clusters?itemsPerPage=100", "/orgs", "/clusters"];
  const urls = paths.map((path) => `${origin}/api/atlas/v2${path}`);
  const ok = new Response("{}");
  let answer = ok;
  let sent;
  // Before the bundles are imported: what they find then is the runtime's own fetch to them.
  globalThis.fetch = (_input, init) => {
    const response = answer;
    answer = ok;
    sent = init;
    return Promise.resolve(response);
  };

  const { username, password } = credentials;
  const clients = [{ name: "floor", call: createFloor(credentials), inputs: urls }];
  for (const [index, checkout] of checkouts.entries()) {
    const { createAtlasFetch, createDigestFetch } = await import(`${bundles}/checkout${index}.mjs`);
    const atlasFetch = createAtlasFetch({ credentials: { publicKey: username, privateKey: password } });
    clients.push(
      { name: `${checkout}atlas-fetch/digest`, call: createDigestFetch(credentials), inputs: urls },
      { name: `${checkout}atlas-fetch`, call: atlasFetch, inputs: paths },
    );
  }
  if (hasPeer()) {
    const { default: DigestClient } = await import("digest-fetch");
    const client = new DigestClient(username, password);
    clients.push({ name: "digest-fetch", call: (url) => client.fetch(url), inputs: urls });
  }

  for (const { name, call, inputs } of clients) {
    const challenge =
      'Digest realm="MMS Public API", domain="", nonce="bm9uY2U", algorithm=MD5, qop="auth", stale=false';
    answer = new Response("", { status: 401, headers: { "www-authenticate": challenge } });
    for (const [index, input] of inputs.entries()) {
      await call(input);
      const signed = /uri="(.*?)"/.exec(new Headers(sent.headers).get("authorization"));
      if (origin + signed?.[1] !== urls[index]) throw new Error(`${name} did not sign ${urls[index]}`);
    }
  }

  const times = clients.map(() => []);
  for (let round = 0; round < WARM_UP_ROUNDS + ROUNDS; round++) {
    for (let turn = 0; turn < clients.length; turn++) {
      const index = (round + turn) % clients.length;
      const { call, inputs } = clients[index];
      const begun = performance.now();
      for (let count = 0; count < CALLS; count++) await call(inputs[count % inputs.length]);
      const perCall = (performance.now() - begun) * 1000 / CALLS;
      if (round >= WARM_UP_ROUNDS) times[index].push(perCall);
    }
  }
  return { times: Object.fromEntries(clients.map(({ name }, index) => [name, meanOfLowerFifth(times[index])])) };
}

function meanOfLowerFifth(values) {
  return mean(values.toSorted((a, b) => a - b).slice(0, Math.ceil(values.length / 5)));
}

function hasPeer() {
  return existsSync(join(here, "node_modules/digest-fetch"));
}

/** A table: the floor in microseconds, all others in times of it. */
export async function measureInside({ runtimes, quick = false, folders = [join(here, "..")] }) {
  const { build } = await import("esbuild");
  const checkouts = folders.length > 1 ? folders.map((folder) => `${folder} `) : [""];
  const bundles = mkdtempSync(join(tmpdir(), "atlas-fetch-inside-"));
  if (!hasPeer()) console.error("digest-fetch is skipped: npm ci --prefix bench installs it");
  try {
    await build({
      entryPoints: folders.map((folder, index) => ({ in: resolve(folder, "mod.ts"), out: `checkout${index}` })),
      outdir: bundles,
      outExtension: { ".js": ".mjs" },
      bundle: true,
      format: "esm",
      platform: "node",
      target: "es2022",
    });
    const taken = runtimes.map(() => []);
    for (let lap = 0; lap < (quick ? 1 : LAPS); lap++) {
      for (const [index, { command }] of runtimes.entries()) {
        const self = fileURLToPath(import.meta.url);
        const { times } = await runOnce([...command, self, "measure", bundles, ...checkouts]);
        taken[index].push(times);
      }
    }
    return { tables: { inside: tableOf(runtimes, taken) } };
  } finally {
    rmSync(bundles, { recursive: true });
  }
}

/** `taken` holds for each runtime its laps, each of which has a time for each client. */
function tableOf(runtimes, taken) {
  const rows = Object.keys(taken[0][0]).map((name) => [
    name === "floor" ? "the floor, in us" : name,
    ...taken.map((laps) => {
      const values = laps.map((lap) => name === "floor" ? lap.floor : lap[name] / lap.floor);
      const error = laps.length > 1 ? ` ± ${standardError(values).toFixed(2)}` : "";
      const text = mean(values).toFixed(2) + error;
      return mean(values) > AIMS[name] ? `**${text}**` : text;
    }),
  ]);
  return [["client", ...runtimes.map(({ name }) => name)], ...rows];
}

if (realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  const [task, bundles, ...checkouts] = process.argv.slice(2);
  if (task === "measure") console.log(JSON.stringify(await measureClients(bundles, checkouts)));
  else {
    const folders = task === undefined ? undefined : process.argv.slice(2);
    const { tables } = await measureInside({ runtimes: findRuntimes(), folders });
    for (const [name, ...cells] of tables.inside) {
      console.log(name.padEnd(40), ...cells.map((cell) => cell.padStart(16)));
    }
  }
}
