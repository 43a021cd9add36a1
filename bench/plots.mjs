/** The pictures of the results, by file name. */
import { plot } from "./plot.mjs";
import { nameOf } from "./tables.mjs";

const NONCE_COLUMNS = {
  reusable: "reusable",
  rising: "counts must\nrise",
  jetty: "Jetty's, as\nAtlas's",
  stale50: "stale after\n50 uses",
  nextnonce: "one-time,\nnextnonce",
  onetime: "one-time:\n2 is the limit",
};

export function plotsOf(results) {
  const source = `${results.machine}; versions and method in bench/README.md`;
  return {
    "round_trips.svg": roundTripsPlot(results, source),
    "latency.svg": latencyPlot(results, source),
    "calls_per_second.svg": speedPlot(results, "callsPerSecond", source, {
      title: "Calls per second, against bare fetch",
      subtitle: "longer is better; 1 is bare fetch on a server that spends as much on it; quartiles as whiskers",
    }),
    "cpu.svg": speedPlot(results, "cpu", source, {
      title: "CPU time per call, against bare fetch",
      subtitle: "shorter is better; 1 is bare fetch; quartiles as whiskers",
    }),
    "cold_start.svg": coldStartPlot(results, source),
  };
}

function kindOf(results, entrant) {
  if (["fetch", "fetch again", "fetch, open", "floor"].includes(entrant)) return "base";
  return results.clients.find(({ id }) => id === entrant).ours ? "ours" : "peer";
}

function rowsOf(results, entrants) {
  return entrants.map((entrant) => ({
    label: nameOf(results, entrant),
    kind: kindOf(results, entrant),
  }));
}

function ratioCell({ ratio, quartiles: [low, high] }) {
  return { value: ratio, low, high };
}

function roundTripsPlot(results, source) {
  const rows = results.roundTrips.filter(({ mode }) => mode === "sequence");
  const entrants = [...new Set(rows.map(({ client }) => client))];
  return plot({
    title: "One round trip per call",
    subtitle: "HTTP requests for one call, by what the server demands of its nonces; in a sequence, without the first",
    rows: rowsOf(results, entrants),
    columns: Object.values(NONCE_COLUMNS),
    cells: entrants.map((entrant) =>
      Object.keys(NONCE_COLUMNS).map((rule) => {
        const row = rows.find(({ client, rule: ruled }) => client === entrant && ruled === rule);
        const value = row.requests / row.calls;
        if (row.failed === 0) return { value };
        return {
          value,
          bad: true,
          note: `${Math.round(100 * row.failed / row.callsMade)}% fail`,
        };
      })
    ),
    mark: 1,
    pieces: true,
    source: `counted, not timed; ${source}`,
  });
}

function latencyPlot(results, source) {
  return plot({
    title: "What a call waits on a far server, against bare fetch",
    subtitle: "shorter is better; each answer takes 20 ms, each new connection 40 ms; quartiles as whiskers",
    rows: rowsOf(results, results.firstCall.map(({ entrant }) => entrant)),
    columns: ["mean call", "first call of a process"],
    cells: results.firstCall.map(({ entrant, time }) => {
      const steady = results.latency.find((row) => row.entrant === entrant);
      return [steady && ratioCell(steady.latency), ratioCell(time)];
    }),
    mark: 1,
    source,
  });
}

/** Without curl, which is in the table: its bar of three times bare fetch's would leave the others short. */
function speedPlot(results, key, source, { title, subtitle }) {
  const rows = results.speed.filter((row) => key in row && row.entrant !== "curl");
  const entrants = [...new Set(rows.map(({ entrant }) => entrant))];
  return plot({
    title,
    subtitle,
    rows: rowsOf(results, entrants),
    columns: ["1 caller", "16 callers", "64 callers"],
    cells: entrants.map((entrant) =>
      [1, 16, 64].map((callers) => {
        const row = rows.find((row) => row.entrant === entrant && row.callers === callers);
        return row && ratioCell(row[key]);
      })
    ),
    mark: 1,
    source,
  });
}

function coldStartPlot(results, source) {
  return plot({
    title: "A whole process for one call, against a bare-fetch script",
    subtitle: "shorter is better; start, import, one call, end; quartiles as whiskers",
    rows: rowsOf(results, results.coldStart.map(({ entrant }) => entrant)),
    columns: ["time", "peak memory"],
    cells: results.coldStart.map(({ time, memory }) => [ratioCell(time), ratioCell(memory)]),
    mark: 1,
    source,
  });
}
