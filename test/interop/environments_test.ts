/** Environments that put their own Blob, FormData, Headers, AbortSignal or fetch in place of the runtime's. */

import test, { after } from "node:test";
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { buffer } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { serveFakeAtlas } from "../../lib/testing.ts";
import { createGate } from "../gate.ts";
import type { Served } from "./environments/fetch.spec.ts";
import { listen } from "./front.ts";
import { run, whereInstalled } from "./programs.ts";

const vitest = fileURLToPath(new URL("node_modules/vitest/vitest.mjs", import.meta.url));
const project = fileURLToPath(new URL("environments", import.meta.url));
const serviceAccount = { clientId: "mdb_sa_id_0123456789abcdef01234567", clientSecret: "mdb_sa_sk_under_score" };

/** What came, with the same boundary each time. */
function account(method: string, type: string | null | undefined, body: Buffer): string {
  const [, boundary = "none"] = /boundary=(.*)/.exec(type ?? "") ?? [];
  return JSON.stringify({ method, type: type ?? null, body: body.toString("latin1") }).replaceAll(boundary, "boundary");
}

await whereInstalled("createAtlasFetch() does what fetch does under jsdom and happy-dom", [vitest], async () => {
  const left = createGate();
  const atlas = await serveFakeAtlas({
    serviceAccount,
    async respond(request) {
      if (request.url.endsWith("/slow")) await left.opened;
      const body = Buffer.from(await request.arrayBuffer());
      return new Response(account(request.method, request.headers.get("content-type"), body));
    },
  });
  const open = createServer(async (request, response) => {
    if (request.url?.endsWith("/slow")) await left.opened;
    const { method = "", headers } = request;
    const body = await buffer(request).catch(() => Buffer.from("aborted"));
    response.end(account(method, headers["content-type"], body));
  });
  const served: Served = {
    openUrl: `http://127.0.0.1:${await listen(open)}`,
    atlasUrl: atlas.url,
    apiKey: atlas.credentials,
    serviceAccount,
  };
  after(async () => {
    left.open();
    open.close();
    await atlas.close();
  });

  test("createAtlasFetch() and its parts do what fetch does under jsdom and happy-dom", async () => {
    const env = { SERVED: JSON.stringify(served), NO_COLOR: "1" };
    const args = [vitest, "run", "--root", project];
    const output = await run(process.execPath, args, env).catch(({ stdout, stderr }) => assert.fail(stdout + stderr));
    assert.match(output, /^ *Tests +(\d+) passed \(\1\)$/m); // none skipped
    assert.match(output, /^ *Test Files +4 passed \(4\)$/m);
  });
});
