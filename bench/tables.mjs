/** results.json as Markdown tables, by the name of the place in README.md that holds each. */
import { RULE_NAMES } from "./measure/round_trips.mjs";
import { shown, two } from "./targets.mjs";

const CALLERS = [1, 16, 64];

export function tablesOf(results) {
  return {
    "targets of atlas-fetch/digest": targetsTable(results, "atlas-fetch/digest"),
    "targets of atlas-fetch": targetsTable(results, "atlas-fetch"),
    versions: versionsTable(results),
    "requests per call": roundTripsTable(results, "sequence"),
    "bursts of 16": roundTripsTable(results, "bursts of 16"),
    "bursts of 64": roundTripsTable(results, "bursts of 64"),
    reordered: reorderedTable(results),
    "calls per second": speedTable(results, "callsPerSecond"),
    cpu: speedTable(results, "cpu"),
    latency: latencyTable(results),
    "cold start": coldStartTable(results),
    bodies: bodiesTable(results),
    streams: streamsTable(results),
    size: sizeTable(results),
    ageing: ageingTable(results),
  };
}

export function nameOf(results, entrant) {
  if (entrant === "fetch again") return "fetch, the same once more";
  if (entrant === "fetch, open") return "fetch, idle server";
  if (entrant === "floor") return "the least Digest can do";
  return results.clients.find(({ id }) => id === entrant).name;
}

function targetsTable({ targets }, door) {
  return table(
    ["what", "target", "measured", "verdict"],
    targets.filter(({ client }) => client === door)
      .map((verdict) => [verdict.what, verdict.target, verdict.measured, outcome(verdict)]),
    ["left", "left", "left", "left"],
  );
}

function outcome({ pass, floorPasses }) {
  if (pass) return "pass";
  return floorPasses === false ? "**miss**, the least too" : "**miss**";
}

function versionsTable({ clients }) {
  return table(["client", "version"], clients.map(({ name, version }) => [name, version]));
}

function roundTripsTable({ clients, roundTrips }, mode) {
  const rules = Object.keys(RULE_NAMES);
  return table(
    ["client", ...Object.values(RULE_NAMES)],
    clients
      .filter(({ id }) => roundTrips.some((row) => row.client === id && row.mode === mode))
      .map(({ id, name }) => [
        name,
        ...rules.map((rule) => {
          const row = roundTrips.find((row) => row.client === id && row.rule === rule && row.mode === mode);
          if (row === undefined) return ""; // a quick run leaves some out
          const failed = row.failed === 0 ? "" : `, ${row.failed} of ${row.callsMade} failed`;
          return two(row.requests / row.calls) + failed;
        }),
      ]),
  );
}

function reorderedTable({ clients, roundTrips }) {
  const rules = Object.keys(RULE_NAMES);
  const rows = roundTrips.filter(({ mode }) => mode.endsWith("reordered"));
  return table(
    ["client", ...Object.values(RULE_NAMES)],
    clients.filter(({ id }) => rows.some(({ client }) => client === id)).map(({ id, name }) => [
      name,
      ...rules.map((rule) => {
        const cells = rows.filter((row) => row.client === id && row.rule === rule);
        const sum = (key) => cells.reduce((total, row) => total + row[key], 0);
        return `${sum("failed")} of ${sum("calls")}`;
      }),
    ]),
  );
}

function speedTable(results, key) {
  const entrants = [...new Set(results.speed.map(({ entrant }) => entrant))]
    .filter((entrant) => results.speed.some((row) => row.entrant === entrant && key in row));
  return table(
    ["client", "1 caller", "16 callers", "64 callers"],
    entrants.map((entrant) => [
      nameOf(results, entrant),
      ...CALLERS.map((callers) => {
        const row = results.speed.find((row) => row.entrant === entrant && row.callers === callers);
        if (row?.[key] === undefined) return "";
        return shown(row[key]) +
          (row.failed === 0 ? "" : `, ${row.failed} of ${row.calls} failed`);
      }),
    ]),
  );
}

function latencyTable(results) {
  return table(
    [
      "client",
      "mean call, answers take 20 ms",
      "first call, set-up 40 ms more",
      "its requests",
      "its connections",
    ],
    results.firstCall.map((first) => {
      const steady = results.latency.find(({ entrant }) => entrant === first.entrant);
      return [
        nameOf(results, first.entrant),
        steady === undefined ? "" : shown(steady.latency),
        shown(first.time),
        two(first.requests),
        two(first.connections),
      ];
    }),
  );
}

function coldStartTable(results) {
  return table(
    ["client", "time of the process", "its peak memory"],
    results.coldStart.map(({ entrant, time, memory }) => [
      nameOf(results, entrant),
      shown(time),
      shown(memory),
    ]),
  );
}

function bodiesTable({ clients, bodies }) {
  const posts = bodies.filter(({ body }) => body === "post");
  return table(
    ["client", "cold", "warm"],
    clients.map(({ id, name }) => [
      name,
      ...["cold", "warm"].map((state) => {
        const row = posts.find((row) => row.client === id && row.state === state);
        return row.status === 200 ? `${two(row.wireBytes / 2 ** 20)} MiB` : `${row.status}`;
      }),
    ]),
  );
}

function streamsTable({ clients, bodies }) {
  const streams = bodies.filter(({ body }) => body === "stream");
  return table(
    ["client", "cold", "warm"],
    clients.map(({ id, name }) => [
      name,
      ...["cold", "warm"].map((state) => arrival(streams.find((row) => row.client === id && row.state === state))),
    ]),
  );
}

function arrival({ status, requests, answeredBodyBytes }) {
  if (status === "none") return "takes none";
  if (typeof status !== "number") return `throws ${status.split(":", 1)[0]}`;
  if (status !== 200) return `${status}`;
  const size = answeredBodyBytes === 0 ? "**0 bytes**" : `${two(answeredBodyBytes / 2 ** 20)} MiB`;
  return `200, ${size} arrived, requests: ${requests}`;
}

function sizeTable(results) {
  const kilobytes = (bytes) => `${(bytes / 1000).toFixed(bytes < 100_000 ? 1 : 0)} kB`;
  return table(
    ["client", "packages", "installed", "bundled, minified", "and gzipped"],
    results.size.map(({ client, packages, installedBytes, bundledBytes, gzippedBytes }) => [
      nameOf(results, client),
      `${packages}`,
      kilobytes(installedBytes),
      kilobytes(bundledBytes),
      kilobytes(gzippedBytes),
    ]),
  );
}

function ageingTable(results) {
  return table(
    ["client", "10,000th call against the 100th", "heap kept of each call"],
    results.ageing.map(({ client, time, heapBytesPerCall }) => [
      nameOf(results, client),
      shown(time),
      `${heapBytesPerCall.toFixed(1)} bytes`,
    ]),
  );
}

/** Padded as `deno fmt` pads, so that the formatter has nothing to change: names to the left, numbers to the right. */
function table(head, rows, sides = ["left", ...head.slice(1).map(() => "right")]) {
  const widths = head.map((_, column) => Math.max(3, ...[head, ...rows].map((cells) => cells[column].length)));
  const line = (cells) => `| ${cells.join(" | ")} |`;
  const padded = (cells) =>
    line(
      cells.map((cell, column) =>
        sides[column] === "left" ? cell.padEnd(widths[column]) : cell.padStart(widths[column])
      ),
    );
  const rule = line(
    widths.map((width, column) => sides[column] === "left" ? "-".repeat(width) : `${"-".repeat(width - 1)}:`),
  );
  return [padded(head), rule, ...rows.map(padded)].join("\n");
}
