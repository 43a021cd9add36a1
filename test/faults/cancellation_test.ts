// A call is aborted at each place where it waits, in a world that stands still there.
import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import { test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { createAtlasFetch, paginate } from "../../mod.ts";
import type { AtlasFetch, AtlasRequestInit } from "../../mod.ts";
import { reasonOf } from "../serving.ts";
import { withRandom } from "./chance.ts";
import { type Answer, createSteppedWorld, type SentRequest, type World } from "./stepped_world.ts";

const KEY = { publicKey: "abortabo", privateKey: "private" };
const ACCOUNT = { clientId: "mdb_sa_id_ab04", clientSecret: "mdb_sa_sk_secret" };

interface Kind {
  account?: boolean;
  answers: (request: SentRequest, number: number) => Answer;
  call: (fetch: AtlasFetch, init: AtlasRequestInit, world: World) => Promise<unknown>;
  /** In how many places it waits. */
  places: number;
}

const challenge = (nonce: string, qop = "auth"): Answer => ({
  status: 401,
  headers: { "www-authenticate": `Digest realm="r", nonce="${nonce}", qop="${qop}", stale=true` },
  body: ["who ", "are you?"],
});
const busy: Answer = { status: 429, headers: { "retry-after": "30" }, body: ["slow ", "down"] };
const welcome: Answer = { body: ["welcome"] };
const post = (body: RequestInit["body"]): RequestInit => ({ method: "POST", body: body ?? null, duplex: "half" });
const large = "x".repeat(20_000);

/** Asks for a signature, finds the nonce stale, and then is busy. */
const stale: Kind["answers"] = ({ authorization }, number) =>
  !authorization || number === 2 ? challenge(`n${number}`) : busy;
const signed: Kind["answers"] = ({ authorization }) => authorization ? welcome : challenge("n");

/** Mints t1, t2, ..., of which the first is refused. */
const minting: Kind["answers"] = ({ url, authorization }, number) =>
  url.endsWith("/oauth/token")
    ? { body: ['{"access_token":', `"t${number}"}`] }
    : authorization === "Bearer t1"
    ? { status: 401, body: ["no ", "more"] }
    : welcome;

/** Two pages. */
const pages: Kind["answers"] = (request, number) =>
  !request.authorization
    ? challenge("n")
    : { body: ['{"results":[1],', `"links":[{"rel":"next","href":"/?pageNum=${Math.min(number, 3)}"}]}`] };

const KINDS: Record<string, Kind> = {
  "a GET": { places: 13, answers: stale, call: (fetch, init) => fetch("/groups", init) },
  "a GET whose connection is lost": {
    places: 7,
    answers: (request, number) => number === 1 ? signed(request, number) : { isLost: true },
    call: (fetch, init) => fetch("/groups", init),
  },
  "a GET that is redirected": {
    places: 9,
    answers: (request, number) =>
      number === 2
        ? { status: 302, headers: { location: "/api/moved" }, body: ["over ", "there"] }
        : signed(request, number),
    call: (fetch, init) => fetch("/groups", init),
  },
  "a POST": { places: 13, answers: stale, call: (fetch, init) => fetch("/groups", { ...init, ...post("{}") }) },
  "a POST to sign with its body": {
    places: 5,
    answers: ({ authorization }) => authorization ? welcome : challenge("n", "auth-int"),
    call: (fetch, init) => fetch("/groups", { ...init, ...post("{}") }),
  },
  "a large POST": { places: 13, answers: stale, call: (fetch, init) => fetch("/groups", { ...init, ...post(large) }) },
  "a POST of a stream": {
    places: 8,
    answers: signed,
    call: (fetch, init, world) => fetch("/groups", { ...init, ...post(world.stream(["a", "b"])) }),
  },
  "a POST of a stream that is refused": {
    places: 1,
    answers: () => ({ status: 401, body: ["no"] }),
    call: (fetch, init, world) => fetch("/groups", { ...init, ...post(world.stream(["a", "b"])) }),
  },
  "a Request with a stream": {
    places: 8,
    answers: signed,
    call: (fetch, init, world) =>
      fetch(new Request("https://cloud.mongodb.com/api/atlas/v2/groups", post(world.stream(["a", "b"]))), init),
  },
  "a GET of a service account": {
    places: 17,
    account: true,
    answers: minting,
    call: (fetch, init) => fetch("/groups", init),
  },
  "a POST of a service account": {
    places: 17,
    account: true,
    answers: minting,
    call: (fetch, init) => fetch("/groups", { ...init, ...post("{}") }),
  },
  "a stream of a service account": {
    places: 16,
    account: true,
    answers: minting,
    call: (fetch, init, world) => fetch("/groups", { ...init, ...post(world.stream(["a", "b"])) }),
  },
  "a list": {
    places: 16,
    answers: pages,
    async call(fetch, init) {
      const items = [];
      for await (const item of paginate(fetch, "/groups", init)) items.push(item);
      return items;
    },
  },
};

/** Timers that keep the process alive, where that can be told. */
function timers(): number {
  const resources = "Deno" in globalThis || "Bun" in globalThis ? [] : process.getActiveResourcesInfo();
  return resources.filter((name) => name === "Timeout").length;
}

/** Starts a call, lets it come so many steps far, and aborts it where it then waits; false if it is over by then. */
async function abortAfter(steps: number, { account, answers, call }: Kind): Promise<boolean> {
  const world = createSteppedWorld(answers);
  const { fetch, sent } = world;
  const credentials = account ? { ...ACCOUNT, tokenStore: world.store } : KEY;
  const client = createAtlasFetch({ credentials, fetch });
  const controller = new AbortController();
  const { signal } = controller;
  const reason = new Error("Enough");
  const timersBefore = timers();
  const ended: unknown[] = [];
  const note = (value: unknown) => void ended.push(value);
  call(client, { signal }, world).then(note, note);
  await world.rest();
  let isEverywhere = false; // once it waits for a timer only
  for (let taken = 0; taken < steps; taken++) isEverywhere = !await world.step();
  if (isEverywhere) controller.abort();
  if (isEverywhere || ended.length > 0) {
    assert.equal(getEventListeners(signal, "abort").length, 0, "It left a listener when it was over");
    return false;
  }

  const sentBefore = sent.length;
  const at = `after ${steps} steps and ${sentBefore} requests`;
  controller.abort(reason);
  for (let turns = 0; turns < 3; turns++) await turn();
  assert.ok(ended.length === 1 && ended[0] === reason, `It did not end at once with the reason, ${at}: ${ended}`);
  await world.finish();
  const more = sent.slice(sentBefore).filter(({ url }) => !url.endsWith("/oauth/token")); // a mint goes on
  assert.deepEqual(more, [], `It sent something more, ${at}`);
  assert.ok(timers() <= timersBefore, `It left a timer, ${at}`);
  assert.equal(world.openBodies(), 0, `It left a body open, ${at}`);
  assert.equal(getEventListeners(signal, "abort").length, 0, `It left a listener, ${at}`);
  return true;
}

for (const [name, kind] of Object.entries(KINDS)) {
  test(`createAtlasFetch() can be aborted in each place where it waits: ${name}`, () =>
    withRandom(0.5, async () => { // no wait is too short to be seen
      let steps = 0;
      while (await abortAfter(steps, kind)) steps++;
      assert.equal(steps, kind.places);
    }));
}

test("createAtlasFetch() gives the token of a mint that nobody waited for to the next call", async () => {
  const world = createSteppedWorld(minting);
  const client = createAtlasFetch({ credentials: ACCOUNT, fetch: world.fetch });
  const controller = new AbortController();
  const aborted = reasonOf(client("/groups", { signal: controller.signal }));
  await world.rest();
  controller.abort(new Error("Enough"));
  assert.equal((await aborted).message, "Enough");
  await world.finish();
  const next = client("/groups");
  await world.finish();
  await next;
  const mints = world.sent.filter(({ url }) => url.endsWith("/oauth/token"));
  assert.equal(mints.length, 2); // the second one since the first token was refused
  assert.equal(world.sent[1]?.authorization, "Bearer t1");
});

test("createAtlasFetch() cancels a stream that a standing 401 keeps from being sent", async () => {
  const world = createSteppedWorld(() => ({ status: 401, body: ["no"] }));
  const client = createAtlasFetch({ credentials: KEY, fetch: world.fetch });
  const call = client("/groups", post(world.stream(["a", "b"]))).then(async (response) => {
    assert.equal(response.status, 401);
    await response.body?.cancel();
  });
  await world.finish();
  await call;
  assert.equal(world.openBodies(), 0);
  assert.deepEqual(world.sent.map(({ body }) => body), [""]);
});
