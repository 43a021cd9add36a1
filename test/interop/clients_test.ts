/** Others' clients over atlasFetch, and what they send by themselves. */

import test from "node:test";
import assert from "node:assert/strict";
import ky from "ky";
import { createFetch } from "ofetch";
import createClient from "openapi-fetch";
import { createFakeAtlas } from "../../lib/testing.ts";
import { AtlasError, createAtlasFetch, ensureOk } from "../../mod.ts";

const orgId = "0123456789abcdef01234567";
const baseUrl = "https://cloud.mongodb.com";
const root = `${baseUrl}/api/atlas/v2/`;
const accept = "application/vnd.atlas.2025-03-12+json";

interface Projects {
  totalCount: number;
}

function setUp(answers: Response[] = []) {
  const fake = createFakeAtlas({ answers });
  const atlasFetch = createAtlasFetch({ credentials: fake.credentials, fetch: fake, retry: false });
  return { fake, atlasFetch };
}

// openapi-fetch ---------------------------------------------------------------------------------

interface Paths {
  "/api/atlas/v2/groups": {
    get: { responses: { 200: { content: { "application/json": Projects } } } };
    post: {
      requestBody: { content: { "application/json": { name: string; orgId: string } } };
      responses: { 200: { content: { "application/json": { name: string } } } };
    };
  };
}

test("openapi-fetch calls Atlas with an absolute baseUrl", async () => {
  const { fake, atlasFetch } = setUp();
  const client = createClient<Paths>({ baseUrl, fetch: atlasFetch });
  const { data } = await client.GET("/api/atlas/v2/groups");
  assert.equal(data?.totalCount, 3);
  const created = await client.POST("/api/atlas/v2/groups", { body: { name: "made", orgId } });
  assert.equal(created.data?.name, "made");
  assert.equal(fake.requests.length, 3);
});

test("openapi-fetch throws AtlasError where ensureOk is its middleware", async () => {
  const { atlasFetch } = setUp([Response.json({ error: 403, errorCode: "FORBIDDEN" }, { status: 403 })]);
  const client = createClient<Paths>({ baseUrl, fetch: atlasFetch });
  client.use({ onResponse: ({ response }) => ensureOk(response) });
  await assert.rejects(client.GET("/api/atlas/v2/groups"), (error) => {
    assert.ok(error instanceof AtlasError);
    assert.equal(error.code, "FORBIDDEN");
    return true;
  });
});

// ky --------------------------------------------------------------------------------------------

test("ky calls Atlas where the response is awaited before it is read", async () => {
  const { fake, atlasFetch } = setUp();
  const client = ky.create({ prefixUrl: root, fetch: atlasFetch, retry: 0, timeout: false });
  const response = await client.get("groups");
  assert.equal((await response.json<Projects>()).totalCount, 3);
  const created = await client.post("groups", { json: { name: "made", orgId }, headers: { accept } });
  assert.equal((await created.json<{ name: string }>()).name, "made");
  assert.equal(fake.requests.length, 3);
});

test("ky's json() asks for application/json, which Atlas refuses, unless Accept is set", async () => {
  const { fake, atlasFetch } = setUp();
  const client = ky.create({ prefixUrl: root, fetch: atlasFetch, retry: 0, timeout: false, throwHttpErrors: false });
  const refused = await client.get("groups").json<{ errorCode: string }>();
  assert.equal(refused.errorCode, "INVALID_VERSION_DATE");
  assert.equal(fake.requests.at(-1)?.headers.get("accept"), "application/json");
  const list = await client.get("groups", { headers: { accept } }).json<Projects>();
  assert.equal(list.totalCount, 3);
  const hooked = client.extend({ hooks: { beforeRequest: [(request) => request.headers.delete("accept")] } });
  assert.equal((await hooked.get("groups").json<Projects>()).totalCount, 3);
  const created = await hooked.post("groups", { json: { name: "made", orgId } }).json<{ name: string }>();
  assert.equal(created.name, "made");
});

// ofetch ----------------------------------------------------------------------------------------

test("ofetch calls Atlas and reads its JSON", async () => {
  const { fake, atlasFetch } = setUp();
  const ofetch = createFetch({ fetch: atlasFetch, defaults: { baseURL: root, retry: 0 } });
  const list = await ofetch<Projects>("groups", { query: { itemsPerPage: 1 }, responseType: "json" });
  assert.equal(list.totalCount, 3);
  assert.equal(fake.requests.length, 2);
});

test("ofetch asks for application/json with a body, which Atlas refuses, unless Accept is set", async () => {
  const { fake, atlasFetch } = setUp();
  const ofetch = createFetch({ fetch: atlasFetch, defaults: { baseURL: root, retry: 0 } });
  const body = { name: "made", orgId };
  const refused = await ofetch.raw("groups", { method: "POST", body, ignoreResponseError: true });
  assert.equal(refused.status, 406);
  assert.equal(fake.requests.at(-1)?.headers.get("accept"), "application/json");
  const created = await ofetch<{ name: string }>("groups", {
    method: "POST",
    body,
    headers: { accept },
    responseType: "json",
  });
  assert.equal(created.name, "made");
});
