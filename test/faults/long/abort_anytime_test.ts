// A call is aborted at each of its turns, however small, in a world that answers at once.
import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { createAtlasFetch } from "../../../mod.ts";
import type { AtlasFetch } from "../../../mod.ts";
import { challenge, createHostileServer } from "../hostile_server.ts";

const KEY = { publicKey: "anytimek", privateKey: "private" };
const ACCOUNT = { clientId: "mdb_sa_id_a117", clientSecret: "mdb_sa_sk_secret" };
const MICROTASKS = 200; // between two turns of the event loop; no call makes so many at a time

type Call = (fetch: AtlasFetch, signal: AbortSignal) => Promise<Response>;

const CALLS: Record<string, Call> = {
  "a GET": (fetch, signal) => fetch("/groups", { signal }),
  "a POST": (fetch, signal) => fetch("/groups", { method: "POST", body: "{}", signal }),
  "a POST of a form": (fetch, signal) => fetch("/groups", { method: "POST", body: new FormData(), signal }),
  "a large POST": (fetch, signal) => fetch("/groups", { method: "POST", body: "x".repeat(20_000), signal }),
  "a POST of a stream": (fetch, signal) =>
    fetch("/groups", { method: "POST", body: new Blob(["x"]).stream(), duplex: "half", signal }),
  "a Request": (fetch, signal) =>
    fetch(new Request("https://cloud.mongodb.com/", { method: "POST", body: "{}", signal })),
};

/** Is stale once, or refuses a token once, and then answers. */
function createServer() {
  return createHostileServer(({ url, authorization }, number) => {
    if (url.endsWith("/oauth/token")) return Response.json({ access_token: `t${number}` });
    if (authorization === "Bearer t1") return new Response("no", { status: 401 });
    if (!authorization || number === 2) {
      return challenge({ nonce: `n${number}`, stale: "true" }, new Blob(["who?"]).stream());
    }
    return new Response("welcome");
  });
}

/** Aborts a call after so many small turns; false if it is over by then. */
async function abortAfter(turns: number, credentials: typeof KEY | typeof ACCOUNT, call: Call): Promise<boolean> {
  const { fetch, sent } = createServer();
  const controller = new AbortController();
  const reason = new Error("Enough");
  const ends: unknown[] = [];
  const ended = call(createAtlasFetch({ credentials, fetch }), controller.signal).then(
    (response) => ends.push(response),
    (error: unknown) => ends.push(error),
  );
  for (let taken = 0; taken < turns && ends.length === 0; taken++) {
    if (taken % MICROTASKS === MICROTASKS - 1) await turn();
    else await null;
  }
  if (ends.length > 0) return false;
  controller.abort(reason);
  const before = sent.length;
  await ended;
  assert.ok(ends[0] === reason || ends[0] instanceof Response, `It ended in ${ends[0]}`);
  for (let turns = 0; turns < 10; turns++) await turn();
  const more = sent.slice(before).filter(({ url }) => !url.endsWith("/oauth/token"));
  assert.ok(more.length === 0, `After ${turns} turns it sent ${more.length} requests more`);
  return true;
}

for (const [name, call] of Object.entries(CALLS)) {
  for (const [who, credentials] of [["an API key", KEY], ["a service account", ACCOUNT]] as const) {
    test(`createAtlasFetch() with ${who} sends nothing once it is aborted, whenever that is: ${name}`, async () => {
      let turns = 0;
      while (await abortAfter(turns, credentials, call)) turns++;
      assert.ok(turns > 10, `It was over after ${turns} turns`);
    });
  }
}
