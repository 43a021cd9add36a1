// Calls of every kind, 32 at once, over a network that breaks: a short run of what test:long does with 20,000.
import assert from "node:assert/strict";
import { test } from "node:test";
import { FAULTS } from "./fault_proxy.ts";
import { tally, withLedger } from "./ledger_scene.ts";
import { onNewConnections } from "./new_connections.ts";
import { createSoak, type Outcome } from "./soak.ts";

const CALLS = 150;
const AT_ONCE = 32;

test("createAtlasFetch() loses no call of 150, repeats none, and uses no count twice", async () => {
  const faults = FAULTS.filter((fault) => !fault.startsWith("stall"));
  await withLedger({ faults }, async (scene) => {
    const { signal } = new AbortController();
    const call = createSoak({ ...scene, signal, limit: 10_000, ofPosts: onNewConnections() });
    const outcomes: Outcome[] = [];
    let number = 0;
    const worker = async () => {
      while (number < CALLS) outcomes.push(await call(number++));
    };
    await Promise.all(Array.from({ length: AT_ONCE }, worker));

    const { rows, unaccounted } = tally(outcomes, scene, []);
    const all = rows.at(-1);
    assert.deepEqual(outcomes.filter(({ end }) => end === "lost"), []);
    assert.deepEqual(unaccounted, []);
    assert.deepEqual(scene.ledger.violations, []);
    assert.ok(all && all.calls === CALLS && all.executedTwice === 0 && all.leaked === 0, JSON.stringify(all));
    assert.ok(all.succeeded >= 0.8 * CALLS, `Only ${all.succeeded} calls succeeded`);
    assert.ok(scene.proxy.exchanges.filter(({ isBroken }) => isBroken).length >= 5);
  });
});
