/** What atlas-fetch must show, and whether it did. Ratios are judged as they are shown: to two places. */

import { SHARED_NONCE_RULES } from "./measure/round_trips.mjs";

/**
 * One verdict a target and door of atlas-fetch; sections that were not run are left out. An `exact` one is a count,
 * the same on a busy machine. `floorPasses` where the least that Digest can do was measured beside it.
 */
export function judge(results) {
  const doors = results.clients.filter(({ ours }) => ours);
  return doors.flatMap(({ id, name }) => targets(results, id).map((verdict) => ({ client: name, ...verdict })));
}

function targets(results, id) {
  return [
    ...exact(roundTripTargets(results.roundTrips, id)),
    ...exact(connectionTargets(results.firstCall, id)),
    ...firstCallTargets(results.firstCall, id),
    ...speedTargets(results.speed, id),
    ...latencyTargets(results.latency, id),
    ...coldStartTargets(results.coldStart, id),
    ...exact(sizeTargets(results.size, id)),
    ...exact(bodyTargets(results.bodies, id)),
    ...ageingTargets(results.ageing, id),
  ];
}

function exact(verdicts) {
  return verdicts.map((verdict) => ({ ...verdict, exact: true }));
}

function roundTripTargets(rows, id) {
  if (rows === undefined) return [];
  const find = (rule, mode) => rows.find((row) => row.client === id && row.rule === rule && row.mode === mode);
  const perCall = ({ requests, calls }) => requests / calls;
  const sequences = SHARED_NONCE_RULES.map((rule) => find(rule, "sequence"));
  const ofSize = (size) => SHARED_NONCE_RULES.map((rule) => find(rule, `bursts of ${size}`));
  const reordered = rows.filter((row) => row.client === id && row.mode.endsWith("reordered") && row.rule !== "ms100" // that one hangs on the machine's speed
  );
  const stale = find("stale50", "sequence");
  const next = find("nextnonce", "sequence");
  return [
    {
      what: "requests per call in sequence: reusable, rising, Jetty's",
      target: "1.00, first call 2",
      measured: `${sequences.map((row) => two(perCall(row))).join(", ")}, first call ${
        sequences.map(({ firstCall }) => firstCall.requests).join(", ")
      }${failures(sequences)}`,
      pass: sequences.every((row) =>
        two(perCall(row)) === "1.00" && row.firstCall.requests === 2 &&
        row.failed === 0
      ),
    },
    ...[16, 64].map((size) => ({
      what: `the same with bursts of ${size}`,
      target: "at most 1.01, no failed call",
      measured: ofSize(size).map((row) => perCall(row).toFixed(3)).join(", ") +
        failures(ofSize(size)),
      pass: ofSize(size).every((row) => atMost(perCall(row), 1.01) && row.failed === 0),
    })),
    {
      what: "bursts with answers reordered by 0 to 6 ms, every rule but 100 ms",
      target: "no failed call",
      measured: `${sum(reordered, "failed")} of ${sum(reordered, "calls")} failed`,
      pass: sum(reordered, "failed") === 0,
    },
    {
      what: "stale after 50 uses, in sequence",
      target: "at most 1.02",
      measured: two(perCall(stale)) + failures([stale]),
      pass: atMost(perCall(stale), 1.02) && stale.failed === 0,
    },
    {
      what: "one-time nonces with nextnonce, in sequence",
      target: "1.00",
      measured: two(perCall(next)) + failures([next]),
      pass: two(perCall(next)) === "1.00" && next.failed === 0,
    },
  ];
}

function connectionTargets(rows, id) {
  const row = rows?.find(({ entrant }) => entrant === id);
  if (row === undefined) return [];
  return [{
    what: "first call on a far server: connections",
    target: "1",
    measured: two(row.connections) + failures([row]),
    pass: row.connections === 1 && row.failed === 0,
  }];
}

function firstCallTargets(rows, id) {
  const row = rows?.find(({ entrant }) => entrant === id);
  if (row === undefined) return [];
  const floor = rows.find(({ entrant }) => entrant === "floor");
  const isMet = ({ time }) => atMost(time.ratio, 1.25);
  return [{
    what: "first call on a far server, against bare fetch's",
    target: "at most 1.25",
    measured: `${shown(row.time)}; the least Digest can do ${shown(floor.time)}`,
    pass: isMet(row),
    floorPasses: isMet(floor),
  }];
}

function speedTargets(rows, id) {
  if (rows === undefined) return [];
  const find = (entrant, callers) => rows.find((row) => row.entrant === entrant && row.callers === callers);
  return [
    ...[1, 16].map((callers) => {
      const [own, floor, itself] = [id, "floor", "fetch again"].map((entrant) => find(entrant, callers).cpu);
      const isMet = ({ ratio }) => atMost(ratio, 1.08);
      return {
        what: `CPU per warm call against bare fetch, callers: ${callers}`,
        target: "at most 1.08",
        measured: `${shown(own)}; ${beside(floor, itself)}`,
        pass: isMet(own),
        floorPasses: isMet(floor),
      };
    }),
    ...[1, 16, 64].map((callers) => {
      const [own, peer, floor, itself] = [id, "digest_fetch", "floor", "fetch again"]
        .map((entrant) => find(entrant, callers).callsPerSecond);
      const row = find(id, callers);
      const isMet = ({ ratio }) => atLeast(ratio, 0.93);
      return {
        what: `calls per second against bare fetch, callers: ${callers}`,
        target: "at least 0.93, and above digest-fetch",
        measured: `${shown(own)}; digest-fetch ${two(peer.ratio)}; ${beside(floor, itself)}` +
          failures([row]),
        pass: isMet(own) && own.ratio > peer.ratio && row.failed === 0,
        floorPasses: isMet(floor),
      };
    }),
  ];
}

function latencyTargets(rows, id) {
  const row = rows?.find(({ entrant }) => entrant === id);
  if (row === undefined) return [];
  return [{
    what: "mean latency with 20 ms added, against bare fetch",
    target: "at most 1.03",
    measured: shown(row.latency) + failures([row]),
    pass: atMost(row.latency.ratio, 1.03) && row.failed === 0,
  }];
}

function coldStartTargets(rows, id) {
  const row = rows?.find(({ entrant }) => entrant === id);
  if (row === undefined) return [];
  const itself = rows.find(({ entrant }) => entrant === "fetch again");
  const floor = rows.find(({ entrant }) => entrant === "floor");
  const isQuick = ({ time }) => atMost(time.ratio, 1.06);
  const isSmall = ({ memory }) => atMost(memory.ratio, 1.02);
  return [
    {
      what: "whole-process cold start against a bare-fetch script",
      target: "at most 1.06",
      measured: `${shown(row.time)}; ${beside(floor.time, itself.time)}` + failures([row]),
      pass: isQuick(row) && row.failed === 0,
      floorPasses: isQuick(floor),
    },
    {
      what: "peak memory against that script",
      target: "at most 1.02",
      measured: `${shown(row.memory)}; ${beside(floor.memory, itself.memory)}`,
      pass: isSmall(row),
      floorPasses: isSmall(floor),
    },
  ];
}

function beside(floor, itself) {
  return `the least Digest can do ${shown(floor)}; fetch against itself ${shown(itself)}`;
}

function sizeTargets(rows, id) {
  const row = rows?.find(({ client }) => client === id);
  if (row === undefined) return [];
  return [{
    what: "packages installed",
    target: "1",
    measured: `${row.packages}`,
    pass: row.packages === 1,
  }];
}

function bodyTargets(rows, id) {
  const posts = rows?.filter(({ client, body }) => client === id && body === "post") ?? [];
  if (posts.length === 0) return [];
  const mebibytes = posts.map(({ wireBytes }) => two(wireBytes / 2 ** 20));
  return [{
    what: "1 MiB POST on the wire, cold and warm",
    target: "1.00 MiB",
    measured: `${mebibytes.join(", ")} MiB`,
    pass: mebibytes.every((size) => size === "1.00") &&
      posts.every(({ status }) => status === 200),
  }];
}

/**
 * The heap is never quite still: runs of the same code differ by 40 bytes a call. Who keeps a nonce, a URL or headers
 * keeps more than this; test/retry_fetch_test.ts is stricter.
 */
const HEAP_NOISE_BYTES = 64;

function ageingTargets(rows, id) {
  const row = rows?.find(({ client }) => client === id);
  if (row === undefined) return [];
  const base = rows.find(({ client }) => client === "fetch");
  return [
    {
      what: "time of the 10,000th call against the 100th",
      target: "0.95 to 1.05",
      measured: `${shown(row.time)}; bare fetch ${shown(base.time)}`,
      pass: atLeast(row.time.ratio, 0.95) && atMost(row.time.ratio, 1.05),
    },
    {
      what: "heap kept of each call, from the 7,000th to the 10,000th",
      target: `no more than bare fetch (within ${HEAP_NOISE_BYTES} bytes)`,
      measured: `${row.heapBytesPerCall.toFixed(1)} bytes; bare fetch ${base.heapBytesPerCall.toFixed(1)}`,
      pass: row.heapBytesPerCall - base.heapBytesPerCall < HEAP_NOISE_BYTES,
    },
  ];
}

function atMost(value, limit) {
  return Number(two(value)) <= limit;
}

function atLeast(value, limit) {
  return Number(two(value)) >= limit;
}

export function two(value) {
  return value.toFixed(2);
}

/** "1.02 ± 0.01 [1.00, 1.05]": the median of the ratios, its standard error where it is known, their quartiles. */
export function shown({ ratio, error, quartiles }) {
  const plusMinus = error === undefined ? "" : ` ± ${two(error)}`;
  return `${two(ratio)}${plusMinus} [${quartiles.map(two).join(", ")}]`;
}

function sum(rows, name) {
  return rows.reduce((total, row) => total + row[name], 0);
}

function failures(rows) {
  const failed = sum(rows, "failed");
  return failed === 0 ? "" : `; ${failed} failed`;
}
