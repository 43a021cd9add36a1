import assert from "node:assert/strict";
import { test } from "node:test";
import { inspect } from "node:util";
import { atlasFetch, type AtlasFetchOptions, createAtlasFetch } from "../lib/atlas_fetch.ts";
import { createFakeAtlas, serveFakeAtlas } from "../lib/testing.ts";
import { ACCOUNT, KEY, ORIGIN, refusalOf } from "./atlas_client.ts";
import { askForDigest, createRecorder, type Sent } from "./recorder.ts";

/** Runs with these environment variables only. */
async function withEnvironment<T>(variables: Record<string, string>, run: () => Promise<T>): Promise<T> {
  const before = process.env;
  process.env = variables;
  try {
    return await run();
  } finally {
    process.env = before;
  }
}

const PAIRS = [
  ["MONGODB_ATLAS_CLIENT_ID", "MONGODB_ATLAS_CLIENT_SECRET"],
  ["MONGODB_ATLAS_PUBLIC_API_KEY", "MONGODB_ATLAS_PRIVATE_API_KEY"],
  ["MONGODB_ATLAS_PUBLIC_KEY", "MONGODB_ATLAS_PRIVATE_KEY"],
  ["ATLAS_USER", "ATLAS_USER_KEY"],
] as const;

/** The user that signs, as a server sees it: of the Digest or Basic value. */
function userOf({ headers }: Sent): string | undefined {
  const authorization = headers.get("authorization") ?? "";
  const basic = /^Basic (.+)$/.exec(authorization)?.[1];
  return basic === undefined ? / username="([^"]*)"/.exec(authorization)?.[1] : atob(basic).split(":")[0];
}

/** Who calls where with these variables. */
async function callerIn(variables: Record<string, string>, options: AtlasFetchOptions = {}) {
  const token = { access_token: "token", expires_in: 3600 };
  const { fetch, sent } = createRecorder((sent, number) =>
    sent.url.endsWith("/api/oauth/token") ? Response.json(token) : askForDigest(sent, number)
  );
  await withEnvironment(variables, () => createAtlasFetch({ ...options, fetch })("/groups"));
  return { user: sent.map(userOf).find((user) => user !== undefined), origin: new URL(String(sent[0]?.url)).origin };
}

/** What the first call says with these variables. */
async function refusalIn(variables: Record<string, string>): Promise<string> {
  const { fetch, sent } = createRecorder();
  const call = withEnvironment(variables, () => createAtlasFetch({ fetch })("/groups"));
  const error = await refusalOf(call, sent);
  assert.doesNotMatch(inspect(error, { depth: Infinity, showHidden: true }), /s3cr3t/);
  return error.message;
}

test("atlasFetch() takes the first complete pair of the environment", async () => {
  for (const [index, [id, secret]] of PAIRS.entries()) {
    // This pair and all behind it are complete; those before are halves, or empty.
    const variables: Record<string, string> = {};
    for (const [place, [id, secret]] of PAIRS.entries()) {
      variables[id] = place < index ? (place % 2 ? `half${place}` : "") : `user${place}`;
      variables[secret] = place < index ? (place % 2 ? "" : "s3cr3t-half") : `s3cr3t${place}`;
    }
    assert.deepEqual(await callerIn(variables), { user: `user${index}`, origin: ORIGIN });
    assert.deepEqual(await callerIn({ [id]: "alone", [secret]: "s3cr3t" }), { user: "alone", origin: ORIGIN });
  }
});

test("atlasFetch() names the missing half of a pair, an empty one too", async () => {
  for (const [id, secret] of PAIRS) {
    for (const empty of [{}, { [secret]: "" }]) {
      const message = `Cannot find Atlas credentials: ${secret} is missing. Give both ${id} and ${secret}`;
      assert.equal(await refusalIn({ [id]: "s3cr3t", ...empty }), message);
    }
    for (const empty of [{}, { [id]: "" }]) {
      const message = `Cannot find Atlas credentials: ${id} is missing. Give both ${id} and ${secret}`;
      assert.equal(await refusalIn({ [secret]: "s3cr3t", ...empty }), message);
    }
  }
});

test("atlasFetch() names every variable where there is none", async () => {
  const nothing = Object.fromEntries(PAIRS.flat().map((name) => [name, ""]));
  for (const variables of [{}, nothing, { MONGODB_ATLAS_BASE_URL: ORIGIN }]) {
    const message = await refusalIn(variables);
    assert.match(message, /^Cannot find Atlas credentials: set .+, or give the option credentials$/);
    for (const [id, secret] of PAIRS) assert.ok(message.includes(`${id} and ${secret}`), message);
  }
});

test("atlasFetch() says where a service account's id belongs", async () => {
  for (const [id, secret] of PAIRS.slice(1)) {
    for (const rest of [{ [secret]: "mdb_sa_sk_s3cr3t" }, {}]) {
      assert.equal(
        await refusalIn({ [id]: "mdb_sa_id_s3cr3t", ...rest }),
        `Cannot use a service account as ${id}: give { clientId, clientSecret }, or set MONGODB_ATLAS_CLIENT_ID and ` +
          "MONGODB_ATLAS_CLIENT_SECRET",
      );
    }
  }
});

test("atlasFetch() names the variable that holds a line break", async () => {
  for (const [id, secret] of PAIRS) {
    for (const end of ["\n", "\r\n", "\r"]) {
      assert.match(
        await refusalIn({ [id]: `s3cr3t${end}`, [secret]: "s3cr3t" }),
        new RegExp(`authenticate: ${id} holds a line break`),
      );
      assert.match(
        await refusalIn({ [id]: "user", [secret]: `s3cr3t${end}` }),
        new RegExp(`cate: ${secret} holds a line break`),
      );
    }
  }
});

test("atlasFetch() takes the base URL with the environment's credentials only", async () => {
  const variables = { ATLAS_USER: "user", ATLAS_USER_KEY: "s3cr3t", MONGODB_ATLAS_BASE_URL: "https://gov.example/" };
  assert.deepEqual(await callerIn(variables), { user: "user", origin: "https://gov.example" });
  assert.deepEqual(await callerIn(variables, { baseUrl: "https://own.example" }), {
    user: "user",
    origin: "https://own.example",
  });
  assert.deepEqual(await callerIn(variables, { credentials: KEY }), { user: KEY.publicKey, origin: ORIGIN });
  const versioned = { ...variables, MONGODB_ATLAS_BASE_URL: "https://gov.example/api/atlas/v2" };
  assert.equal((await callerIn(versioned)).origin, "https://gov.example");
  assert.equal((await callerIn({ ...variables, MONGODB_ATLAS_BASE_URL: "" })).origin, ORIGIN);

  const wrong = { ...variables, MONGODB_ATLAS_BASE_URL: "https://u:s3cr3t@gov.example" };
  assert.match(await refusalIn(wrong), /^Cannot use MONGODB_ATLAS_BASE_URL: it is not an origin such as/);
  const open = { ...variables, MONGODB_ATLAS_BASE_URL: "http://gov.example" };
  assert.match(await refusalIn(open), /^Cannot send credentials to http:\/\/gov\.example: use https:/);
});

test("atlasFetch() reads the environment at the first request, and again only after a failure", async () => {
  const { fetch: recorder, sent } = createRecorder(askForDigest);
  const fetch = await withEnvironment(
    { ATLAS_USER: "early", ATLAS_USER_KEY: "s3cr3t" },
    () => Promise.resolve(createAtlasFetch({ fetch: recorder })),
  );
  await refusalOf(withEnvironment({}, () => fetch("/groups")), sent);
  await refusalOf(withEnvironment({ ATLAS_USER: "half" }, () => fetch("/groups")), sent);
  await withEnvironment({ ATLAS_USER: "first", ATLAS_USER_KEY: "s3cr3t" }, () => fetch("/groups"));
  await withEnvironment({ ATLAS_USER: "later", ATLAS_USER_KEY: "s3cr3t" }, () => fetch("/groups"));
  await withEnvironment({}, () => fetch("/groups"));
  assert.deepEqual(sent.map(userOf), [undefined, "first", "first", "first"]);
});

test("atlasFetch() reads no variable when it is given credentials", async () => {
  const before = process.env;
  const read: PropertyKey[] = [];
  process.env = new Proxy<Record<string, string>>({}, {
    get: (_target, name) => (read.push(name), undefined),
    has: (_target, name) => (read.push(name), false),
    ownKeys: () => (read.push("all"), []),
  });
  try {
    for (const credentials of [KEY, ACCOUNT]) {
      const atlas = createFakeAtlas({ credentials: KEY, serviceAccount: ACCOUNT });
      const fetch = createAtlasFetch({ credentials, fetch: atlas });
      assert.equal((await fetch("/groups")).status, 200);
      assert.deepEqual(read.filter((name) => /ATLAS|^all$/.test(String(name))), []);
    }
    // The spy itself works.
    await refusalOf(createAtlasFetch()("/groups"));
    for (const name of PAIRS.flat()) assert.ok(read.includes(name), name);
  } finally {
    process.env = before;
  }
});

test("atlasFetch() lets the refusal of a runtime through that may not read the environment", async () => {
  const denied = new Error('NotCapable: Requires env access to "MONGODB_ATLAS_CLIENT_ID"');
  const before = process.env;
  process.env = new Proxy<Record<string, string>>({}, {
    get: () => {
      throw denied;
    },
  });
  try {
    await assert.rejects(createAtlasFetch()("/groups"), denied);
  } finally {
    process.env = before;
  }
});

test("atlasFetch() finds no credentials where there is no process", async () => {
  const { fetch, sent } = createRecorder();
  const property = Object.getOwnPropertyDescriptor(globalThis, "process") ?? {};
  for (const value of [undefined, {}]) {
    const call = withoutProcess(value);
    assert.match((await refusalOf(call, sent)).message, /^Cannot find Atlas credentials: set /);
  }

  function withoutProcess(value: unknown): Promise<Response> {
    Object.defineProperty(globalThis, "process", { value, configurable: true, writable: true });
    try {
      return createAtlasFetch({ fetch })("/groups");
    } finally {
      Object.defineProperty(globalThis, "process", property);
    }
  }
});

test("atlasFetch() is createAtlasFetch() with its defaults, and can be detached", async () => {
  const atlas = await serveFakeAtlas();
  try {
    await withEnvironment({
      MONGODB_ATLAS_PUBLIC_API_KEY: atlas.credentials.publicKey,
      MONGODB_ATLAS_PRIVATE_API_KEY: atlas.credentials.privateKey,
      MONGODB_ATLAS_BASE_URL: atlas.url,
    }, async () => {
      const response = await atlasFetch.call(undefined, "/");
      assert.match(await response.text(), /"appName":"MongoDB Atlas"/);
      assert.equal(response.url, `${atlas.url}/api/atlas/v2/`);
    });
  } finally {
    await atlas.close();
  }
});

test("atlasFetch() takes an access token of the environment before all other credentials", async () => {
  const { fetch, sent } = createRecorder();
  const variables = { ATLAS_USER: "user", ATLAS_USER_KEY: "s3cr3t", MONGODB_ATLAS_ACCESS_TOKEN: "t0ken" };
  await withEnvironment(variables, () => createAtlasFetch({ fetch })("/groups"));
  assert.deepEqual(sent.map(({ headers }) => headers.get("authorization")), ["Bearer t0ken"]);
  const empty = { ...variables, MONGODB_ATLAS_ACCESS_TOKEN: "" };
  assert.equal((await callerIn(empty)).user, "user");
  const base = { MONGODB_ATLAS_ACCESS_TOKEN: "t0ken", MONGODB_ATLAS_BASE_URL: "https://gov.example" };
  assert.equal((await callerIn(base)).origin, "https://gov.example");
});

/** An environment in which, as on Deno, some variables may be read and the others throw. */
function allowing(variables: Record<string, string>, denied: (name: string) => Error): Record<string, string> {
  return new Proxy(variables, {
    get: (_target, name) => {
      if (String(name) in variables) return variables[String(name)] || undefined;
      if (!/ATLAS/.test(String(name))) return undefined;
      throw denied(String(name));
    },
  });
}

test("atlasFetch() takes a variable that Deno denies for unset, if others hold credentials", async () => {
  const denied = (name: string) => new Error(`NotCapable: Requires env access to "${name}"`);
  const pair = { MONGODB_ATLAS_PUBLIC_API_KEY: "user", MONGODB_ATLAS_PRIVATE_API_KEY: "s3cr3t" };
  const allowed = { ...pair, MONGODB_ATLAS_BASE_URL: "" };
  assert.deepEqual(await callerIn(allowing(allowed, denied)), { user: "user", origin: ORIGIN });
  // The base URL is not guessed.
  assert.equal(
    await refusalIn(allowing(pair, denied)),
    "Cannot read MONGODB_ATLAS_BASE_URL: run Deno with --allow-env=MONGODB_ATLAS_BASE_URL, or give the option baseUrl",
  );
  const own = await callerIn(allowing(pair, denied), { baseUrl: "https://own.example" });
  assert.deepEqual(own, { user: "user", origin: "https://own.example" });
  // Nothing is found: the first denial tells.
  for (const user of ["", "user"]) {
    const { fetch, sent } = createRecorder();
    const half = allowing({ MONGODB_ATLAS_PUBLIC_API_KEY: user }, denied);
    const name = user ? "MONGODB_ATLAS_PRIVATE_API_KEY" : "MONGODB_ATLAS_ACCESS_TOKEN";
    const call = withEnvironment(half, () => createAtlasFetch({ fetch })("/groups"));
    await assert.rejects(call, { message: `NotCapable: Requires env access to "${name}"` });
    assert.equal(sent.length, 0);
  }
});
