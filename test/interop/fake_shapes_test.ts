/** Atlas's OpenAPI document as judge of the fake Atlas: Prism stands between, and tells what is not as it says. */

import test from "node:test";
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { serveFakeAtlas } from "../../lib/testing.ts";
import { judgePrograms, startJudge } from "./prism.ts";
import { whereInstalled } from "./programs.ts";

const document = fileURLToPath(new URL("../../../shared/data/atlas-openapi.json", import.meta.url));
const title = "serveFakeAtlas() answers as Atlas's OpenAPI document says";
const serviceAccount = { clientId: "mdb_sa_id_0123456789abcdef01234567", clientSecret: "mdb_sa_sk_secret" };

const GROUP = "/groups/65f1c0de0000000000000002";
const GROUP_BODY = { name: "made", orgId: "0123456789abcdef01234567" };

type Operation = [method: string, path: string, version: string, body?: unknown];

/** Each in the newest version that the document has of it: only then does Prism compare. */
const operations: Operation[] = [
  ["GET", "", "2023-01-01"],
  ["GET", "/groups", "2023-01-01"],
  ["GET", "/groups?itemsPerPage=1", "2023-01-01"],
  ["POST", "/groups", "2023-01-01", GROUP_BODY],
  ["GET", GROUP, "2023-01-01"],
  ["GET", `${GROUP}/clusters`, "2024-08-05"],
  ["POST", `${GROUP}/clusters`, "2024-10-23", { name: "made" }],
  ["GET", `${GROUP}/clusters/made`, "2024-08-05"],
  ["PATCH", `${GROUP}/clusters/made`, "2024-10-23", { paused: true }],
];

if (existsSync(document)) {
  await whereInstalled(title, judgePrograms, define);
} else {
  const reason = "not there: shared/data/atlas-openapi.json";
  console.log(`Skipped: ${title}: ${reason}`);
  test(title, { skip: reason });
}

function define(): void {
  test(title, async () => {
    // One that must be found out.
    const headers = { "Content-Type": "application/vnd.atlas.2023-01-01+json" };
    const wrong = new Response('{ "results": [{ "name": 1 }] }', { headers });
    const respond = ({ url }: Request) => url.endsWith("?pageNum=7") ? wrong : undefined;
    const atlas = await serveFakeAtlas({ serviceAccount, respond });
    try {
      const judge = await startJudge(document, atlas.url);
      try {
        const token = await mint(atlas.url);
        const violations = async ([method, path, version, body]: Operation) => {
          const type = `application/vnd.atlas.${version}+json`;
          const headers = { Accept: type, "Content-Type": type, Authorization: `Bearer ${token}` };
          const init = { method, headers, body: body === undefined ? null : JSON.stringify(body) };
          const response = await fetch(`${judge.url}/api/atlas/v2${path}`, init);
          assert.ok(response.ok, `${method} ${path}: ${response.status} ${await response.text()}`);
          return response.headers.get("sl-violations");
        };
        for (const operation of operations) assert.equal(await violations(operation), null, operation.join(" "));
        assert.match(`${await violations(["GET", "/groups?pageNum=7", "2023-01-01"])}`, /body.*name must be string/);
      } finally {
        await judge.stop();
      }
    } finally {
      await atlas.close();
    }
  });
}

async function mint(origin: string): Promise<string> {
  const { clientId, clientSecret } = serviceAccount;
  const response = await fetch(`${origin}/api/oauth/token`, {
    method: "POST",
    headers: { Authorization: `Basic ${btoa(`${clientId}:${clientSecret}`)}` },
    body: new URLSearchParams({ grant_type: "client_credentials" }),
  });
  return JSON.parse(await response.text()).access_token;
}
