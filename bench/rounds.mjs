/** Who takes part in the timed sections, and whose turn it is in each round. */
import { floorClient } from "./peers.mjs";

/** So near to bare fetch, and to each other, that only many rounds tell them apart. */
const CLOSE = ["fetch", "fetch again", "floor", "digest", "atlas", "digest_fetch"];

/**
 * The others' distance is far beyond the noise: they are in the first sixth of the rounds. Not in every sixth round: a
 * client that rests longer than bare fetch does pays for it, by up to 1.6 times.
 */
const SHARE = 1 / 6;

/** The first is the baseline; "again" is the same code, and so the noise. */
export function entrants(clients) {
  const fetchClient = clients.find(({ id }) => id === "fetch");
  return [
    { id: "fetch", client: fetchClient, twin: "equal" },
    { id: "fetch again", client: fetchClient, twin: "equal" },
    { id: "fetch, open", client: fetchClient, twin: "open" },
    { id: "floor", client: floorClient(), twin: "digest" },
    ...clients.filter(({ id }) => id !== "fetch").map((client) => ({
      id: client.id,
      client,
      twin: "digest",
    })),
  ];
}

/** Who takes part after that share of a section: all of them at its beginning, then who is close. */
export function partakers(runners, share) {
  return runners.filter(({ id }) => share < SHARE || CLOSE.includes(id));
}

/** Calls `turn(runner, round)` for one runner after the other, in each round. */
export async function takeRounds({ runners, rounds, say }, turn) {
  for (let round = 0; round < rounds; round++) {
    if (round % Math.ceil(rounds / 6) === 0) say(`round ${round + 1} of ${rounds}`);
    for (const runner of shuffled(partakers(runners, round / rounds), round)) await turn(runner, round);
  }
}

/** The same shuffle in each run, another in each turn: no runner always follows the same one. */
export function shuffled(runners, turn) {
  let state = turn + 1;
  const order = [...runners];
  for (let last = order.length - 1; last > 0; last--) {
    state = Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x9e3779b9 >>> 0;
    const other = state % (last + 1);
    [order[last], order[other]] = [order[other], order[last]];
  }
  return order;
}
