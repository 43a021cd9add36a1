/**
 * Compiled and run by typed_test.ts, beside the types that openapi-typescript makes of Atlas's OpenAPI document. It
 * prints what it got, a word each.
 */

import createClient from "openapi-fetch";
import { AtlasError, atlasFetch, ensureOk } from "atlas-fetch";
import type { paths } from "./atlas.d.ts";

// openapi-fetch makes a Request before it calls fetch: it needs the absolute URL that atlasFetch has too.
const baseUrl = process.env.MONGODB_ATLAS_BASE_URL ?? "https://cloud.mongodb.com";
const client = createClient<paths>({ baseUrl, fetch: atlasFetch });

const { data } = await client.GET("/api/atlas/v2/groups", { params: { query: { itemsPerPage: 2 } } });
const names: string[] = data?.results?.map(({ name }) => name) ?? [];
const groupId = data?.results?.[0]?.id ?? "";
const orgId = data?.results?.[0]?.orgId ?? "";
console.log(names.join(" "));

const created = await client.POST("/api/atlas/v2/groups", { body: { name: "typed", orgId } });
console.log(created.data?.name, created.response.status);

const params = { path: { groupId, clusterName: "Cluster0" } };
const cluster = await client.GET("/api/atlas/v2/groups/{groupId}/clusters/{clusterName}", { params });
console.log(cluster.data?.stateName);

const changed = await client.PATCH("/api/atlas/v2/groups/{groupId}/clusters/{clusterName}", {
  params,
  body: { paused: true },
});
console.log(changed.data?.paused, changed.data?.stateName);

const entry = "203.0.113.0/24";
const read = await client.GET("/api/atlas/v2/groups/{groupId}/accessList/{entryValue}", {
  params: { path: { groupId, entryValue: entry } },
});
console.log(read.data?.cidrBlock);

const deleted = await client.DELETE("/api/atlas/v2/groups/{groupId}/clusters/{clusterName}", { params });
console.log(deleted.response.status);

// A refusal is data, unless a middleware makes it an error.
const path = { groupId: "0123456789abcdef01234567" };
const refused = await client.GET("/api/atlas/v2/groups/{groupId}", { params: { path } });
console.log(refused.error?.errorCode);
client.use({ onResponse: ({ response }) => ensureOk(response) });
try {
  await client.GET("/api/atlas/v2/groups/{groupId}", { params: { path } });
} catch (error) {
  console.log(error instanceof AtlasError ? `${error.status} ${error.code}` : error);
}

// What must not compile. ------------------------------------------------------------------------

export async function wrong(): Promise<void> {
  // @ts-expect-error: misspelt
  await client.GET("/api/atlas/v2/group");
  // @ts-expect-error: the id of the project is missing
  await client.GET("/api/atlas/v2/groups/{groupId}", { params: { path: {} } });
  // @ts-expect-error: so is every parameter
  await client.GET("/api/atlas/v2/groups/{groupId}");
  // @ts-expect-error: the id of the organization is missing
  await client.POST("/api/atlas/v2/groups", { body: { name: "typed" } });
  // @ts-expect-error: a name is a string
  await client.PATCH("/api/atlas/v2/groups/{groupId}", { params: { path }, body: { name: 1 } });
  // @ts-expect-error: there is no PUT
  await client.PUT("/api/atlas/v2/groups/{groupId}", { params: { path }, body: { name: "typed" } });
  // @ts-expect-error: a page has a number
  await client.GET("/api/atlas/v2/groups", { params: { query: { pageNum: "one" } } });
  const { data } = await client.GET("/api/atlas/v2/groups");
  // @ts-expect-error: misspelt
  console.log(data?.result);
}
