/** Deno where it may read only some variables, and reach one port only. */

import test, { after } from "node:test";
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { serveFakeAtlas } from "../../lib/testing.ts";
import { run, whereInstalled } from "./programs.ts";
import type { Order, Outcome } from "./restricted/call.ts";

const deno = fileURLToPath(new URL("node_modules/deno/deno", import.meta.url));
const source = fileURLToPath(new URL("restricted/call.ts", import.meta.url));
const serviceAccount = { clientId: "mdb_sa_id_0123456789abcdef01234567", clientSecret: "mdb_sa_sk_under_score" };

await whereInstalled("atlasFetch() reads the variables that Deno allows", [deno], async () => {
  const atlas = await serveFakeAtlas({ serviceAccount });
  after(() => atlas.close());
  const { publicKey, privateKey } = atlas.credentials;
  const { clientId, clientSecret } = serviceAccount;
  const baseUrl = { MONGODB_ATLAS_BASE_URL: atlas.url };

  /** Calls with an environment, of which only some names may be read. */
  async function call(env: Record<string, string>, allowed: readonly string[]): Promise<Outcome> {
    const order: Order = { atlas: {}, url: "/groups" };
    const allowEnv = allowed.length > 0 ? [`--allow-env=${allowed.join(",")}`] : [];
    const permissions = [`--allow-net=${new URL(atlas.url).host}`, ...allowEnv];
    const args = ["run", "--quiet", "--no-prompt", "--no-check", ...permissions, source, JSON.stringify(order)];
    return JSON.parse(await run(deno, args, env));
  }

  const environments: [kind: string, env: Record<string, string>][] = [
    ["an API key", { MONGODB_ATLAS_PUBLIC_API_KEY: publicKey, MONGODB_ATLAS_PRIVATE_API_KEY: privateKey }],
    ["an API key in Terraform's", { MONGODB_ATLAS_PUBLIC_KEY: publicKey, MONGODB_ATLAS_PRIVATE_KEY: privateKey }],
    ["an API key in the tutorial's", { ATLAS_USER: publicKey, ATLAS_USER_KEY: privateKey }],
    ["a service account", { MONGODB_ATLAS_CLIENT_ID: clientId, MONGODB_ATLAS_CLIENT_SECRET: clientSecret }],
  ];
  for (const [kind, env] of environments) {
    const names = Object.keys(env);
    const all = { ...env, ...baseUrl };

    test(`atlasFetch() needs on Deno the variables of ${kind} and the base URL's only`, async () => {
      assert.deepEqual(await call(all, [...names, "MONGODB_ATLAS_BASE_URL"]), { status: 200 });
    });

    test(`atlasFetch() says how Deno lets it read the base URL beside ${kind}`, async () => {
      const { error } = await call(all, names);
      const way = "run Deno with --allow-env=MONGODB_ATLAS_BASE_URL, or give the option baseUrl";
      assert.equal(error, `TypeError: Cannot read MONGODB_ATLAS_BASE_URL: ${way}`);
    });

    test(`atlasFetch() lets Deno's own error through where one half of ${kind} is denied`, async () => {
      for (const name of names) {
        const { error } = await call(all, [name, "MONGODB_ATLAS_BASE_URL"]);
        assert.match(error ?? "", /^NotCapable: Requires env access to "(MONGODB_)?ATLAS_\w+"/);
      }
    });
  }

  test("atlasFetch() lets Deno's own error through where all variables are denied", async () => {
    const [[, env] = ["", {}]] = environments;
    const { error } = await call({ ...env, ...baseUrl }, []);
    assert.match(error ?? "", /^NotCapable: Requires env access to "MONGODB_ATLAS_\w+"/);
  });
});
