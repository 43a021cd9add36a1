/** What is counted, and is the same on a busy machine: requests, failed calls, connections, bytes, packages. */
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";
import { commandOf, credentials, findClients, here, startWorker } from "./processes.mjs";
import { startServer } from "./server.mjs";

const BODY_BYTES = 2 ** 20;
const BOLD = ' font-weight="bold"';

/**
 * The rules of the first table: `calls` after the first one, begun `together`. Jetty's needs 1,024 to show who must ask
 * anew, and 400 to show whose count, written in decimal, reads as 1,024. It comes first: urllib's count is its module's.
 */
const RULES = [
  { head: "Jetty's: 60 s, 1,024 uses", rule: "jetty", calls: 1099, together: 1 },
  { head: "counts must rise", rule: "rising", calls: 100, together: 1 },
  { head: "16 calls at once", rule: "reusable", calls: 320, together: 16 },
  { head: "stale after 50 uses", rule: "stale50", calls: 100, together: 1 },
  { head: "one-time, nextnonce", rule: "nextnonce", calls: 100, together: 1 },
  { head: "one-time", rule: "onetime", calls: 100, together: 1 },
];

export async function count({ runtimes, quick, say }) {
  const clients = findClients(runtimes).filter(({ id }) => id !== "floor");
  for (const client of clients) {
    say(client.name);
    const hosts = quick ? client.hosts.slice(0, 1) : client.hosts;
    client.counts = await Promise.all(hosts.map((runtime) => countOn(runtime, client)));
  }
  const heads = ["connections", "1 MiB, first", "later", "stream, first", "later", "packages", "installed", "gzipped"];
  const bytes = [["client", ...heads]];
  const requests = [["client", ...RULES.map(({ head }) => head)]];
  for (const client of clients) {
    const size = client.library ? await sizeOf(client) : ["", "", ""];
    bytes.push(...rowsOf(client, "bodies", client.name, String).map((row) => [...row, ...size]));
    if (client.id === "fetch") continue;
    requests.push(...rowsOf(client, "requests", `${client.name} ${client.version}`, requestsText));
  }
  return { tables: { requests, bytes }, plot: plot(clients.filter(({ id }) => id !== "fetch")) };
}

async function countOn(runtime, client) {
  const worker = startWorker(commandOf(client, runtime));
  async function onServer(options, work) {
    const server = await startServer({ ...options, isOpen: client.id === "fetch" });
    await worker.ask({ task: "create", url: server.url, ...credentials });
    await work(server);
    server.close();
  }
  const get = (calls, together) => worker.ask({ task: "bursts", bursts: calls / together, size: together });

  const requests = [];
  for (const { rule, calls: enough, together } of client.id === "fetch" ? [] : RULES) {
    // curl is a command a call, so that each is as the first; requests makes one call after the other.
    const calls = client.id === "curl" ? 16 : client.id === "requests" && together > 1 ? 0 : enough;
    await onServer({ rule }, async ({ takeCounts }) => {
      const first = await get(1, 1);
      takeCounts();
      const later = await get(calls, together);
      requests.push({ requests: takeCounts().requests, calls, failed: first.failed + later.failed });
    });
  }
  const bodies = [];
  await onServer({ latency: 5 }, async ({ takeCounts }) => {
    await get(1, 1);
    bodies.push(takeCounts().connections);
  });
  for (const as of ["post", "stream"]) {
    await onServer({}, async ({ takeCounts }) => {
      for (let call = 0; call < 2; call++) {
        const { status } = await worker.ask({ task: "send", bytes: BODY_BYTES, as });
        bodies.push(sentText(as, status, takeCounts()));
      }
    });
  }
  worker.end();
  return { requests, bodies };
}

function requestsText({ requests, calls, failed }) {
  if (calls === 0) return "";
  return (requests / calls).toFixed(2) + (failed > 0 ? `, ${failed} of ${calls + 1} failed` : "");
}

/** A body's bytes on the wire, every try included; a stream's that were let in. */
function sentText(as, status, { bytes, acceptedBytes, requests }) {
  if (status !== 200) return String(status);
  if (as === "post") return `${(bytes / BODY_BYTES).toFixed(2)} MiB`;
  const arrived = acceptedBytes === 0 ? "**0 bytes**" : `${(acceptedBytes / BODY_BYTES).toFixed(2)} MiB`;
  return `${arrived}, ${requests === 1 ? "1 request" : `${requests} requests`}`;
}

/** One row where all runtimes agree, else one each. */
function rowsOf({ counts, hosts }, kind, label, text) {
  const rows = counts.map((count) => count[kind].map(text));
  if (rows.every((row) => String(row) === String(rows[0]))) return [[label, ...rows[0]]];
  return rows.map((row, index) => [`${label}, ${hosts[index].name}`, ...row]);
}

/** Packages, and kilobytes on the disk and, of what a user imports, in a minified and gzipped bundle. */
async function sizeOf({ id, library, uses }) {
  const folders = new Set();
  addPackages(here, library, folders);
  const entry = id === "digest" ? `${library}/digest` : library;
  const { outputFiles: [{ contents }] } = await build({
    stdin: { contents: `export { ${uses} } from "${entry}"`, resolveDir: here },
    bundle: true,
    minify: true,
    platform: "node",
    format: "esm",
    external: ["node-fetch"], // digest-fetch looks for it only where there is no fetch
    write: false,
    logLevel: "error",
  });
  const installed = [...folders].reduce((sum, folder) => sum + bytesOf(folder), 0);
  const kilobytes = [installed, gzipSync(contents, { level: 9 }).length].map((bytes) =>
    `${Math.round(bytes / 1000)} kB`
  );
  return [String(folders.size), ...kilobytes];
}

/** The folders of a package and all that it depends on, found from a folder upward as Node finds them. */
function addPackages(from, name, folders) {
  const folder = join(from, "node_modules", name);
  if (statSync(folder, { throwIfNoEntry: false }) === undefined) {
    if (from !== join(from, "..")) addPackages(join(from, ".."), name, folders); // else an optional peer
  } else if (!folders.has(folder)) {
    folders.add(folder);
    const { dependencies = {} } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
    for (const dependency of Object.keys(dependencies)) addPackages(folder, dependency, folders);
  }
}

function bytesOf(folder) {
  const files = readdirSync(folder, { withFileTypes: true, recursive: true }).filter((entry) => entry.isFile());
  const own = files.filter(({ parentPath }) => !parentPath.slice(folder.length).includes("node_modules"));
  return own.reduce((sum, { parentPath, name }) => sum + statSync(join(parentPath, name)).size, 0);
}

/** The picture for those who run scripts: a block a request, by three of RULES. Laid out as `deno fmt` lays it out. */
function plot(clients) {
  const columns = [[1, "one call after the other"], [2, "16 calls at once"], [0, "1,100 calls, rules like Atlas's"]];
  const [left, column, unit, top, line] = [230, 245, 64, 112, 30]; // px
  const height = top + clients.length * line + 16;
  const text = (x, y, words, more = "") => `  <text x="${x}" y="${y}"${more}>${words}</text>`;
  const title = "Requests per call: one, where most pay two";

  function cell({ requests, calls, failed }, x, y, isOurs) {
    if (calls === 0) return [];
    const perCall = (requests / calls).toFixed(2);
    const fill = failed > 0 ? "#c5372c" : isOurs ? "#00755e" : "#b3bcc6";
    const rects = [];
    for (let at = 0; at < perCall; at++) {
      const width = Math.round(Math.min(1, perCall - at) * unit) - 2;
      rects.push(`  <rect x="${x + at * unit}" y="${y + 8}" width="${width}" height="14" fill="${fill}" />`);
    }
    const failing = `, ${Math.round(100 * failed / (calls + 1))}% fail`;
    return [...rects, text(x + Math.round(perCall * unit) + 5, y + 20, failed > 0 ? perCall + failing : perCall)];
  }

  const rows = clients.flatMap(({ name, library, counts: [{ requests }] }, row) => {
    const y = top + row * line;
    const isOurs = library === "atlas-fetch";
    return [
      `  <path d="M16 ${y}H944" stroke="#d5dbe1" />`,
      text(16, y + 20, name, isOurs ? BOLD : ""),
      ...columns.flatMap(([rule], index) => cell(requests[rule], left + index * column, y, isOurs)),
    ];
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 960 ${height}" font-family="sans-serif" font-size="13">`,
    `  <title>${title}</title>`,
    `  <rect width="960" height="${height}" fill="#ffffff" />`,
    text(16, 34, title, ' font-size="19"'),
    text(16, 58, "A server says first what to sign. Who remembers it asks once a call, as plain fetch does."),
    ...columns.map(([, head], index) => text(left + index * column, top - 12, head, BOLD)),
    ...rows,
    "</svg>\n",
  ].join("\n");
}
