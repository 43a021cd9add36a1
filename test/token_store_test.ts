import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { inspect } from "node:util";
import { createTokenSource, type TokenStore } from "../lib/token_source.ts";
import { withClock, withTimers } from "./clock.ts";
import { createGate } from "./gate.ts";
import { clientId, clientSecret, createDesk, KEY, minted } from "./token_desk.ts";

interface Entry {
  key: string;
  value: string;
  seconds: number;
}

/** A store that keeps a record. */
function createStore(): TokenStore & { sets: Entry[]; gets: string[] } {
  const values = new Map<string, string>();
  const sets: Entry[] = [];
  const gets: string[] = [];
  return {
    sets,
    gets,
    get(key) {
      gets.push(key);
      return values.get(key);
    },
    set(key, value, seconds) {
      sets.push({ key, value, seconds });
      values.set(key, value);
    },
  };
}

test("createTokenSource() shares its token by a store: one mint for many", async () => {
  const store = new Map<string, string>(); // a Map is one
  const desk = createDesk();
  for (let process = 0; process < 5; process++) {
    assert.equal(await createTokenSource({ clientId, clientSecret, store, fetch: desk.fetch })(), "t1");
  }
  assert.equal(desk.sent.length, 1);
});

test("createTokenSource() stores under token URL and client id, as JSON with the end, in whole seconds", () =>
  withClock(async (clock) => {
    const store = createStore();
    const desk = createDesk(() => {
      clock.now += 1234;
      return minted("t1", { expires_in: 3600 });
    });
    await createTokenSource({ clientId, clientSecret, store, fetch: desk.fetch })();
    assert.deepEqual(store.gets, [KEY]);
    const [entry] = store.sets;
    assert.equal(store.sets.length, 1);
    assert.equal(entry?.key, KEY);
    assert.deepEqual(JSON.parse(entry.value), { token: "t1", end: clock.now - 1234 + 3_600_000 });
    assert.equal(entry.seconds, 3598);
  }));

test("createTokenSource() gives stores neither the secret nor what is made from it", async () => {
  const store = createStore();
  await createTokenSource({ clientId, clientSecret, store, fetch: createDesk().fetch })();
  const seen = inspect([store.sets, store.gets]);
  for (const secret of [clientSecret, btoa(clientSecret), btoa(`${clientId}:${clientSecret}`)]) {
    assert.ok(!seen.includes(secret.replace(/=+$/, "")));
  }
});

test("createTokenSource() keeps the accounts and the hosts of one store apart", async () => {
  const store = createStore();
  const desk = createDesk();
  const fetch = desk.fetch;
  const tokenUrl = "https://cloud.mongodbgov.com/api/oauth/token";
  const tokens = [
    await createTokenSource({ clientId, clientSecret, store, fetch })(),
    await createTokenSource({ clientId: "another", clientSecret, store, fetch })(),
    await createTokenSource({ clientId, clientSecret, store, fetch, tokenUrl })(),
  ];
  assert.deepEqual(tokens, ["t1", "t2", "t3"]);
});

test("createTokenSource() hands stores whole and positive seconds, and no token that ends within 60 s", async () => {
  const lifetimes: [expires_in: unknown, seconds: number | undefined][] = [
    [3600, 3600],
    [61.9, 61],
    [61, 61],
    [60.5, 60],
    [60, undefined],
    [59, undefined],
    [0.5, undefined],
    [0, undefined],
    [-5, undefined],
    [1e308, 3600],
    [null, 3600],
  ];
  for (const [expires_in, seconds] of lifetimes) {
    await withClock(async () => {
      const store = createStore();
      const desk = createDesk(() => minted("t1", { expires_in }));
      await createTokenSource({ clientId, clientSecret, store, fetch: desk.fetch })();
      assert.deepEqual(
        store.sets.map((entry) => entry.seconds),
        seconds === undefined ? [] : [seconds],
        `${expires_in}`,
      );
    });
  }
});

test("createTokenSource() takes a stored token until 60 s before its end", () =>
  withClock(async (clock) => {
    const store = new Map([[KEY, JSON.stringify({ token: "t0", end: clock.now + 60_001 })]]);
    const desk = createDesk();
    const token = createTokenSource({ clientId, clientSecret, store, fetch: desk.fetch });
    assert.equal(await token(), "t0");
    clock.now += 1;
    assert.equal(await token(), "t1");
    assert.equal(desk.sent.length, 1);
    assert.match(store.get(KEY) ?? "", /t1/);
  }));

test("createTokenSource() passes over what a store gives that is no living token", async () => {
  const end = Date.now() + 3_600_000;
  const rubbish = [
    "",
    "hello",
    "null",
    "5",
    "[]",
    '"t0"',
    "{}",
    "{",
    JSON.stringify({ token: "t0" }),
    JSON.stringify({ end }),
    JSON.stringify({ token: "t0", end: String(end) }),
    JSON.stringify({ token: "t0", end: null }),
    JSON.stringify({ token: "", end }),
    JSON.stringify({ token: "t\r\n0", end }),
    JSON.stringify({ token: 7, end }),
    JSON.stringify({ token: "t0", end: Date.now() + 60_000 }),
    JSON.stringify({ token: "t0", end: Date.now() - 1 }),
  ];
  for (const value of rubbish) {
    const store = new Map([[KEY, value]]);
    const desk = createDesk();
    assert.equal(await createTokenSource({ clientId, clientSecret, store, fetch: desk.fetch })(), "t1", value);
    assert.match(store.get(KEY) ?? "", /t1/);
  }
});

test("createTokenSource() passes over what a store gives that is no string", async () => {
  const rubbish: unknown[] = [
    null,
    undefined,
    0,
    7,
    NaN,
    true,
    [],
    {},
    Symbol("t0"),
    () => "t0",
    new Uint8Array(3),
    Object.create(null),
    { token: "t0", end: Infinity },
  ];
  for (const value of rubbish) {
    for (const given of [value, Promise.resolve(value)]) {
      // As JavaScript's users may write it: the types would not let them.
      const store: TokenStore = { get: () => undefined, set: () => {} };
      Reflect.set(store, "get", () => given);
      const desk = createDesk();
      assert.equal(await createTokenSource({ clientId, clientSecret, store, fetch: desk.fetch })(), "t1");
    }
  }
});

test("createTokenSource() passes over a store that throws or rejects", async () => {
  const fail = (): never => {
    throw new Error("Store down");
  };
  const stores: TokenStore[] = [
    { get: fail, set: fail },
    { get: () => Promise.reject(new Error("Store down")), set: () => Promise.reject(new Error("Store down")) },
    { get: () => undefined, set: () => Promise.reject("not even an Error") },
  ];
  for (const store of stores) {
    const desk = createDesk();
    const token = createTokenSource({ clientId, clientSecret, store, fetch: desk.fetch });
    assert.deepEqual([await token(), await token()], ["t1", "t1"]);
    assert.equal(desk.sent.length, 1);
  }
});

test("createTokenSource() passes over a store that is silent for 2 s, and over what it says then", async () => {
  const gate = createGate();
  const late = async (): Promise<string> => {
    await gate.opened;
    throw new Error("Too late to be heard");
  };
  const desk = createDesk();
  const stores: TokenStore[] = [{ get: late, set: () => {} }, { get: () => undefined, set: late }];
  await withTimers({}, async (waits) => {
    for (const store of stores) {
      waits.length = 0;
      const token = createTokenSource({ clientId, clientSecret, store, fetch: desk.fetch });
      assert.match(await token(), /^t[12]$/);
      assert.deepEqual(waits, [2000, 2000]); // for get and for set
    }
  });
  gate.open();
  await turn(); // for an unhandled rejection to show
});

test("createTokenSource() waits for its own store entry, so that a short script does not end before", async () => {
  let isStored = false;
  const store: TokenStore = {
    get: () => undefined,
    async set() {
      await turn();
      isStored = true;
    },
  };
  await createTokenSource({ clientId, clientSecret, store, fetch: createDesk().fetch })();
  assert.equal(isStored, true);
});
