/** Cloudflare Workers: workerd, run by miniflare, with nodejs_compat. */

import test, { after } from "node:test";
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { serveFakeAtlas } from "../../lib/testing.ts";
import { whereInstalled } from "./programs.ts";
import type { Order, Outcome } from "./workers/worker.ts";

const serviceAccount = { clientId: "mdb_sa_id_0123456789abcdef01234567", clientSecret: "mdb_sa_sk_under_score_é" };
const orgId = "0123456789abcdef01234567";

const workerd = fileURLToPath(new URL("node_modules/workerd/bin/workerd", import.meta.url));

await whereInstalled("atlasFetch() works in a Cloudflare Worker", [workerd], async () => {
  const { Miniflare } = await import("miniflare");
  const { outputFiles: [worker] } = await build({
    entryPoints: [fileURLToPath(new URL("workers/worker.ts", import.meta.url))],
    bundle: true,
    write: false,
    format: "esm",
    external: ["node:*"],
  });
  assert.ok(worker);

  function start(bindings: Record<string, string>) {
    const miniflare = new Miniflare({
      modules: true,
      script: worker?.text ?? "",
      compatibilityDate: "2026-04-01",
      compatibilityFlags: ["nodejs_compat"],
      bindings,
    });
    async function carryOut(order: Partial<Order>): Promise<Outcome> {
      const body = JSON.stringify({ path: "/groups", method: "GET", body: null, calls: 1, ...order });
      const response = await miniflare.dispatchFetch("http://worker/", { method: "POST", body });
      return JSON.parse(await response.text());
    }
    return { carryOut, stop: () => miniflare.dispose() };
  }

  const atlas = await serveFakeAtlas({ serviceAccount });
  const { url: baseUrl, credentials } = atlas;
  const { carryOut, stop } = start({});
  after(() => Promise.all([stop(), atlas.close()]));

  for (const [name, given] of [["an API key", credentials], ["a service account", serviceAccount]] as const) {
    test(`atlasFetch() calls Atlas from a Worker with ${name}`, async () => {
      const { statuses, texts, error } = await carryOut({ options: { baseUrl, credentials: given }, calls: 4 });
      assert.equal(error, undefined);
      assert.deepEqual(statuses, [200, 200, 200, 200]);
      assert.match(texts[0] ?? "", /"project-1"/);
    });

    test(`atlasFetch() sends bodies, small and large, from a Worker with ${name}`, async () => {
      for (const comment of ["small", "large".repeat(10_000)]) {
        const project = `${comment.slice(0, 5)}-${name.replaceAll(" ", "-")}`;
        const body = JSON.stringify({ name: project, orgId, comment });
        const order = { options: { baseUrl, credentials: given }, method: "POST", body };
        const { statuses, texts, error } = await carryOut(order);
        assert.equal(error, undefined);
        assert.deepEqual(statuses, [200]);
        assert.equal(JSON.parse(texts[0] ?? "").comment, comment);
      }
    });
  }

  test("atlasFetch() reads the variables of a Worker's environment", async () => {
    const worker = start({
      MONGODB_ATLAS_PUBLIC_API_KEY: credentials.publicKey,
      MONGODB_ATLAS_PRIVATE_API_KEY: credentials.privateKey,
      MONGODB_ATLAS_BASE_URL: baseUrl,
    });
    try {
      const { statuses, error } = await worker.carryOut({ options: {} });
      assert.equal(error, undefined);
      assert.deepEqual(statuses, [200]);
    } finally {
      await worker.stop();
    }
  });

  test("atlasFetch() says which variables are missing in a Worker without any", async () => {
    const { error } = await carryOut({ options: {} });
    assert.match(
      error ?? "",
      /^TypeError: Cannot find Atlas credentials: set MONGODB_ATLAS_ACCESS_TOKEN, or MONGODB_ATLAS_CLIENT_ID/,
    );
  });
});
