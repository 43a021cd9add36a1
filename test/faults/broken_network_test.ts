// A fake Atlas behind a network that breaks: each fault at each kind of call, on a connection that was already in use.
import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { inspect } from "node:util";
import { type AtlasFetch, createAtlasFetch } from "../../mod.ts";
import type { AtlasFetchOptions, AtlasRequestInit } from "../../mod.ts";
import { serveFakeAtlas } from "../../lib/testing.ts";
import { withRandom } from "./chance.ts";
import { ENDS, type FaultyPath, meet, withFaultyPath } from "./fault_meeting.ts";
import { type Exchange, type Fault, type FaultProxy, FAULTS } from "./fault_proxy.ts";
import { onNewConnections } from "./new_connections.ts";
import { assertShowsNone } from "./secrets.ts";

const KEY = { publicKey: "faultykk", privateKey: "S3CRET-private-key" };
const ACCOUNT = { clientId: "mdb_sa_id_fa017", clientSecret: "mdb_sa_sk_S3CRET-client-secret" };
const ORGANIZATION = "65f1c0de0000000000000000";

interface Scene extends FaultyPath {
  client(credentials: AtlasFetchOptions["credentials"], options?: AtlasFetchOptions): AtlasFetch;
}

async function behindProxy(work: (scene: Scene) => Promise<void>): Promise<void> {
  const atlas = await serveFakeAtlas({ credentials: KEY, serviceAccount: ACCOUNT, mintsPerMinute: 1000 });
  try {
    await withFaultyPath(Number(new URL(atlas.url).port), (path) => {
      const client: Scene["client"] = (credentials, options) =>
        createAtlasFetch({ baseUrl: path.proxy.url, retry: { maxDelay: 1 }, ...options, credentials });
      return withRandom(0, () => work({ ...path, client })); // a mint is tried again without a wait
    });
  } finally {
    await atlas.close();
  }
}

/** A client that has called once, so that it holds a nonce or a token, and an idle connection. */
async function warm(client: AtlasFetch): Promise<AtlasFetch> {
  assert.equal((await read(client("/groups"))).status, 200);
  await sleep(5);
  return client;
}

async function read(call: Promise<Response>): Promise<{ status: number; text: string }> {
  const response = await call;
  return { status: response.status, text: await response.text() };
}

function newProject(name: string): AtlasRequestInit {
  return { method: "POST", body: JSON.stringify({ name, orgId: ORGANIZATION }), ...onNewConnections() };
}

/** How often a POST was executed, whether or not its answer arrived. */
function executions({ exchanges }: FaultProxy): number {
  return exchanges.filter(({ request, status }) => /^POST \S+\/groups /.test(request) && status === 200).length;
}

/** What was thrown with all its causes; asserts that it shows no secret. */
function causesOf(error: unknown): string {
  assertShowsNone(error, [KEY.privateKey, ACCOUNT.clientSecret, 'response="'], "An error");
  return inspect(error);
}

for (const [name, credentials] of [["an API key", KEY], ["a service account", ACCOUNT]] as const) {
  for (const fault of FAULTS) {
    test(`createAtlasFetch() with ${name} comes through or fails by the book: ${fault}`, () =>
      behindProxy(async (scene) => {
        const { get, post, executed } = ENDS[fault];
        const client = await warm(scene.client(credentials));
        const asking = (init: AtlasRequestInit) => (signal: AbortSignal) => client("/groups", { ...init, signal });
        const isLost = (error: Error) => causesOf(error).includes("may have been executed");
        assert.equal(await meet(fault, scene, asking({}), isLost), get, "GET");

        await warm(client);
        const end = await meet(fault, scene, asking(newProject("once")), isLost);
        // On Deno the connection was not in use before.
        const isNew = fault.startsWith("close") && end === "meets no fault";
        assert.equal(end, isNew ? "meets no fault" : post, "POST");
        assert.equal(executions(scene.proxy), isNew ? 1 : executed);
        assert.equal((await read(client("/groups"))).status, 200, "The next call");
      }));
  }
}

test("createAtlasFetch() sends a signed GET once more when its connection is lost, without any retries", () =>
  behindProxy(async ({ proxy, client, befall }) => {
    const fetch = await warm(client(KEY, { retry: false }));
    befall(["reset before the request is passed on"]);
    const before = proxy.exchanges.length;
    assert.equal((await read(fetch("/groups"))).status, 200);
    assert.equal(proxy.exchanges.length - before, 2);
  }));

test("createAtlasFetch() passes on the error of fetch itself when a GET is lost for good", () =>
  behindProxy(async ({ proxy, client, befall }) => {
    for (const credentials of [KEY, ACCOUNT]) {
      for (const retry of [false, { maxDelay: 1 }] as const) {
        const thrown: unknown[] = [];
        const recording = (input: string | URL | Request, init?: RequestInit) =>
          fetch(input, init).catch((error) => {
            thrown.push(error);
            throw error;
          });
        const calls = await warm(client(credentials, { retry, fetch: recording }));
        befall(Array<Fault>(20).fill("reset after the request, its answer withheld"));
        const before = proxy.exchanges.length;
        const error = await calls("/groups").then(() => assert.fail("It came through"), (error: unknown) => error);
        assert.ok(thrown.includes(error), "It is another error");
        causesOf(error);
        const sent = proxy.exchanges.length - before;
        assert.ok(sent <= 12, `${sent} requests`); // of six, since Deno and Bun send each once more
        befall([]);
      }
    }
  }));

test("createAtlasFetch() sends a POST once the server listens, and only once", () =>
  behindProxy(async ({ proxy, client }) => {
    for (const credentials of [KEY, ACCOUNT]) {
      proxy.refuse();
      let tries = 0;
      const listeningLater = async (input: string | URL | Request, init?: RequestInit) => {
        if (tries++ === 1) await proxy.accept();
        return await fetch(input, init);
      };
      const before = executions(proxy);
      const { status } = await read(
        client(credentials, { fetch: listeningLater })("/groups", newProject(`later-${before}`)),
      );
      assert.equal(status, 200);
      assert.equal(executions(proxy) - before, 1);
    }
  }));

test("createAtlasFetch() says that a POST may have been executed only if it was sent", () =>
  behindProxy(async ({ proxy, client }) => {
    const { exchanges } = proxy;
    proxy.refuse();
    for (const credentials of [KEY, ACCOUNT]) {
      const calls = client(credentials);
      const error = await calls("/groups", newProject("never")).then(() => assert.fail("It came through"), causesOf);
      assert.match(error, /ECONNREFUSED|Connect\)/);
      assert.doesNotMatch(error, /executed/);
    }
    assert.equal(exchanges.length, 0);
  }));

/** A stall takes the mint 10 s, the connection is a new one, and garbage is an answer. */
const NOT_OF_MINTS = /^(stall|close|garbage)/;

for (const fault of FAULTS.filter((fault) => !NOT_OF_MINTS.test(fault))) {
  test(`createAtlasFetch() gets its access token through: ${fault}`, () =>
    behindProxy(async ({ proxy, client, befall }) => {
      const isMint = ({ request }: Exchange) => request.startsWith("POST /api/oauth/token ");
      befall([fault, fault], isMint);
      const calls = client(ACCOUNT, { retry: false });
      assert.equal((await read(calls("/groups", newProject("minted")))).status, 200);
      const broken = proxy.exchanges.filter(({ isBroken }) => isBroken);
      assert.ok(broken.length > 0 && broken.every(isMint));
      assert.equal(executions(proxy), 1);
    }));
}
