/**
 * What a warm call costs inside the process: `node bench/inside.mjs [folder ...]`, on Node 20 and 26, Deno and Bun.
 *
 * The global fetch is a stub that answers at once, so that nothing but the client is left. GETs of four URLs in turn,
 * all clients interleaved in one process; of each client's rounds the quickest fifth counts, which leaves out the
 * collector and whatever else the machine does. Each lap is a new process, since what the compiler decides as one
 * starts moves it by a tenth. The floor is in microseconds, all else in times of the floor of the same process.
 *
 * It measures the sources as they are, bundled as for npm. Folders are other checkouts to measure beside this one.
 */
import { spawnSync } from "node:child_process";
import { hash, randomUUID } from "node:crypto";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";

const here = fileURLToPath(new URL(".", import.meta.url));
const programs = join(here, "../test/interop/node_modules");
const LAPS = 3;
const ROUNDS = 150;
const CALLS = 400; // in a round: 2 ms of the floor, so that a clock of microseconds will do
const WARM_UP_ROUNDS = 60;

/** Where the bench runs; those that are not installed are skipped. */
export const RUNTIMES = [
  { name: "Node 20", command: [join(programs, "node20/bin/node")] },
  { name: "Node 26", command: [join(programs, "node26/bin/node")] },
  {
    name: "Deno",
    command: [
      join(programs, "deno/deno"),
      "run",
      "--allow-all",
      "--no-config",
      "--node-modules-dir=manual",
      "--no-check",
    ],
  },
  { name: "Bun", command: [join(programs, ".bin/bun")] },
].filter(({ name, command: [program] }) => {
  if (existsSync(program)) return true;
  console.error(`${name} is skipped: npm ci --prefix test/interop installs it`);
  return false;
});

/**
 * The least that Digest can do, with no thought for what may go wrong: for each warm call a URL, a Headers, two hashes
 * and fetch. What a client costs over this is its own.
 */
export function createFloor({ username, password }) {
  let challenged;
  let count = 0;

  async function askForChallenge(url) {
    const refused = await fetch(url);
    const challenge = refused.headers.get("www-authenticate");
    await refused.text();
    await new Promise((resolve) => setImmediate(resolve)); // else Node opens a second connection
    const [, realm] = /realm="([^"]*)"/.exec(challenge);
    const [, nonce] = /nonce="([^"]*)"/.exec(challenge);
    const cnonce = randomUUID();
    const constant =
      `Digest username="${username}", realm="${realm}", nonce="${nonce}", cnonce="${cnonce}", qop=auth`;
    return {
      nonce,
      cnonce,
      constant,
      ha1: hash("md5", `${username}:${realm}:${password}`),
    };
  }

  return async (input) => {
    challenged ??= await askForChallenge(input);
    const { nonce, cnonce, constant, ha1 } = challenged;
    const { href, pathname, search } = new URL(input);
    const uri = pathname + search;
    const nc = (++count).toString(16).padStart(8, "0");
    const answer = hash(
      "md5",
      `${ha1}:${nonce}:${nc}:${cnonce}:auth:${hash("md5", `GET:${uri}`)}`,
    );
    const headers = new Headers();
    headers.set(
      "authorization",
      `${constant}, nc=${nc}, uri="${uri}", response="${answer}"`,
    );
    return await fetch(href, { method: "GET", headers, redirect: "manual" });
  };
}

/** In a runtime of its own: microseconds a call of each client by its name, for the bundles in a folder. */
async function measureClients(bundles, checkouts) {
  const origin = "https://cloud.mongodb.com";
  const paths = [
    "/groups",
    "/groups/32b6e34b3d91647abb20e7b8/clusters?itemsPerPage=100",
    "/orgs",
    "/clusters",
  ];
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

  const username = "benchkey";
  const password = "0ad5ed61-b06c-4d49-89b1-38f1bc35a6b8";
  const clients = [{
    name: "floor",
    call: createFloor({ username, password }),
    inputs: urls,
  }];
  for (const [index, checkout] of checkouts.entries()) {
    const { createAtlasFetch, createDigestFetch } = await import(
      `${bundles}/checkout${index}.mjs`
    );
    const credentials = { publicKey: username, privateKey: password };
    clients.push(
      {
        name: `${checkout}./digest`,
        call: createDigestFetch({ username, password }),
        inputs: urls,
      },
      {
        name: `${checkout}root`,
        call: createAtlasFetch({ credentials }),
        inputs: paths,
      },
    );
  }
  if (existsSync(join(here, "node_modules/digest-fetch"))) {
    const { default: DigestClient } = await import("digest-fetch");
    const client = new DigestClient(username, password);
    clients.push({
      name: "digest-fetch",
      call: (url) => client.fetch(url),
      inputs: urls,
    });
  }

  for (const { name, call, inputs } of clients) {
    const challenge =
      'Digest realm="MMS Public API", domain="", nonce="bm9uY2U", algorithm=MD5, qop="auth", stale=false';
    answer = new Response("", {
      status: 401,
      headers: { "www-authenticate": challenge },
    });
    for (const [index, input] of inputs.entries()) {
      await call(input);
      const signed = /uri="(.*?)"/.exec(
        new Headers(sent.headers).get("authorization"),
      );
      if (origin + signed?.[1] !== urls[index]) {
        throw new Error(`${name} did not sign ${urls[index]}`);
      }
    }
  }

  const times = clients.map(() => []);
  for (let round = 0; round < WARM_UP_ROUNDS + ROUNDS; round++) {
    for (let turn = 0; turn < clients.length; turn++) {
      const index = (round + turn) % clients.length;
      const { call, inputs } = clients[index];
      const start = performance.now();
      for (let count = 0; count < CALLS; count++) {
        await call(inputs[count % inputs.length]);
      }
      const perCall = (performance.now() - start) * 1000 / CALLS;
      if (round >= WARM_UP_ROUNDS) times[index].push(perCall);
    }
  }
  return Object.fromEntries(
    clients.map(({ name }, index) => [name, meanOfLowerFifth(times[index])]),
  );
}

function meanOfLowerFifth(values) {
  return mean(
    values.toSorted((a, b) => a - b).slice(0, Math.ceil(values.length / 5)),
  );
}

function mean(values) {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** A row a client, a column a runtime; each cell the laps' values. */
export async function measureInside(folders = [join(here, "..")], laps = LAPS) {
  const { build } = await import("esbuild");
  if (!existsSync(join(here, "node_modules/digest-fetch"))) {
    console.error("digest-fetch is skipped: npm ci --prefix bench installs it");
  }
  const checkouts = folders.length > 1
    ? folders.map((folder) => `${folder} `)
    : [""];
  const bundles = mkdtempSync(join(tmpdir(), "atlas-fetch-inside-"));
  try {
    await build({
      entryPoints: folders.map((folder, index) => ({
        in: resolve(folder, "mod.ts"),
        out: `checkout${index}`,
      })),
      outdir: bundles,
      outExtension: { ".js": ".mjs" },
      bundle: true,
      format: "esm",
      platform: "node",
      target: "es2022",
    });
    const columns = RUNTIMES.map(({ name }) => ({ name, laps: [] }));
    for (let lap = 0; lap < laps; lap++) {
      for (
        const [index, { command: [program, ...options] }] of RUNTIMES.entries()
      ) {
        const args = [
          ...options,
          fileURLToPath(import.meta.url),
          "measure",
          bundles,
          ...checkouts,
        ];
        const { status, stdout } = spawnSync(program, args, {
          cwd: here, // Deno finds packages from here
          encoding: "utf8",
          stdio: ["ignore", "pipe", "inherit"],
        });
        if (status !== 0) throw new Error(`${RUNTIMES[index].name} failed`);
        columns[index].laps.push(JSON.parse(stdout));
      }
    }
    return columns;
  } finally {
    rmSync(bundles, { recursive: true });
  }
}

/** The floor in microseconds, then ratios with the standard error of the laps. */
export function rowsOfInside(columns) {
  const names = Object.keys(columns[0].laps[0]);
  return names.map((name) => [
    name === "floor" ? "floor, us" : name,
    ...columns.map(({ laps }) => {
      const values = laps.map((lap) =>
        name === "floor" ? lap.floor : lap[name] / lap.floor
      );
      const average = mean(values);
      const squares = values.reduce(
        (sum, value) => sum + (value - average) ** 2,
        0,
      );
      const error = Math.sqrt(squares / (values.length - 1) / values.length);
      return `${average.toFixed(2)} ± ${error.toFixed(2)}`;
    }),
  ]);
}

const [, program, task, ...rest] = process.argv;
if (resolve(program) === fileURLToPath(import.meta.url)) {
  if (task === "measure") {
    console.log(JSON.stringify(await measureClients(rest[0], rest.slice(1))));
  } else {
    const columns = await measureInside(
      task === undefined ? undefined : [task, ...rest],
    );
    const lines = [
      ["", ...columns.map(({ name }) => name)],
      ...rowsOfInside(columns),
    ];
    for (const [name, ...cells] of lines) {
      console.log(
        name.padEnd(Math.max(...lines.map(([name]) => name.length))) +
          cells.map((cell) => cell.padStart(15)).join(""),
      );
    }
  }
}
