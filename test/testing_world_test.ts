import assert from "node:assert/strict";
import { test } from "node:test";
import { gunzipSync } from "node:zlib";
import { createFakeAtlas, type FakeAtlas } from "../lib/testing.ts";
import {
  ACCEPT,
  ask,
  authorization,
  challengeOf,
  errorOf,
  firstProject,
  jsonOf,
  newNonce,
  ORG,
  ORIGIN,
  signed,
  V2,
  withClock,
  write,
} from "./fake_client.ts";

test("createFakeAtlas() shows the root document to a signed request", async () => {
  const fake = createFakeAtlas();
  for (const path of ["/api/atlas/v2", "/api/atlas/v2/"]) {
    const response = await ask(fake, path);
    assert.equal(response.status, 200);
    const root = await jsonOf(response);
    assert.deepEqual(Object.keys(root), ["appName", "build", "throttling", "apiKey", "links"]);
    assert.equal(root.appName, "MongoDB Atlas");
    assert.match(root.build, /^[0-9a-f]{40}$/);
    assert.equal(root.throttling, false);
    assert.deepEqual(Object.keys(root.apiKey), ["id", "publicKey", "accessList", "roles"]);
    assert.equal(root.apiKey.publicKey, fake.credentials.publicKey);
    assert.deepEqual(root.links, [{ rel: "self", href: V2 }]);
  }
});

test("createFakeAtlas() wants a version in Accept and answers in it", async () => {
  const fake = createFakeAtlas();
  const type = async (Accept: string, path = "/") => {
    const response = await ask(fake, path, { headers: { Accept } });
    if (response.status === 200) return response.headers.get("Content-Type");
    assert.equal(await errorOf(response), "406 INVALID_VERSION_DATE");
    return undefined;
  };
  const v = (version: string, format = "json") => `application/vnd.atlas.${version}+${format}`;
  assert.equal(await type(v("2025-03-12")), `${v("2025-03-12")};charset=utf-8`);
  assert.equal(await type(v("2023-01-01")), `${v("2023-01-01")};charset=utf-8`);
  assert.equal(await type(v("2026-01-01.upcoming")), `${v("2026-01-01.upcoming")};charset=utf-8`);
  assert.equal(await type(v("preview")), `${v("preview")};charset=utf-8`);
  assert.equal(await type(`text/html, ${v("2024-08-05")};q=0.9`), `${v("2024-08-05")};charset=utf-8`);
  assert.equal(await type("Application/Vnd.Atlas.2024-08-05+JSON"), `${v("2024-08-05")};charset=utf-8`);
  assert.equal(await type("application/json"), undefined);
  assert.equal(await type("*/*"), undefined);
  assert.equal(await type(""), undefined);
  assert.equal(await type(v("2022-12-31")), undefined);
  assert.equal(await type(v("2022-12-31.upcoming")), undefined);
  assert.equal(await type(v("2025-3-12")), undefined);
  assert.equal(await type(v("2025-03-12.preview")), undefined);
  assert.equal(await type(v("preview.upcoming")), undefined);
  assert.equal(await type(v("latest")), undefined);
  assert.equal(await type(v("2025-03-12", "gzip")), undefined);
  assert.equal(await type(v("2025-03-12", "jsonx")), undefined);
  assert.equal(await type(v("2025-03-12"), "/groups"), `${v("2025-03-12")};charset=utf-8`);
  const Authorization = authorization(signed(fake.credentials, { nonce: await newNonce(fake) }));
  assert.equal(await errorOf(await fake(`${V2}/`, { headers: { Authorization } })), "406 INVALID_VERSION_DATE");
});

test("createFakeAtlas() knows v1.0, which has no versions", async () => {
  const fake = createFakeAtlas();
  for (const base of ["/api/atlas/v1.0", "/api/public/v1.0"]) {
    for (const Accept of ["application/json", "*/*"]) {
      const response = await ask(fake, `${base}/groups`, { headers: { Accept } });
      assert.equal(response.headers.get("Content-Type"), "application/json");
      assert.equal((await jsonOf(response)).results[0].name, "project-1");
    }
    assert.equal((await write(fake, "POST", `${base}/groups`, { name: base, orgId: ORG })).status, 200);
  }
});

test("createFakeAtlas() has no resource at other paths", async () => {
  const fake = createFakeAtlas();
  const id = await firstProject(fake);
  const paths = [
    "/nowhere",
    "/groups/",
    `/groups/${id}:migrate`,
    `/groups/${id}/clusters/Cluster0:pinFeatureCompatibilityVersion`,
    `/groups/${id}/clusters/h/logs/mongodb.gz/x`,
    `/groups/${id}/clusters/h/logs/mongodb-gz`,
    "/api/atlas/v1x0/groups",
    "/api/atlas/v2x",
    "/api/atlas/v3/groups",
    "/api/private",
  ];
  for (const path of paths) {
    for (const method of ["GET", "POST"]) {
      assert.equal(await errorOf(await ask(fake, path, { method })), "404 RESOURCE_NOT_FOUND", path);
    }
  }
  assert.equal(challengeOf(await fake(`${ORIGIN}/anything`)).stale, "false");
});

test("createFakeAtlas() allows each resource its methods only", async () => {
  const fake = createFakeAtlas();
  for (
    const [method, path] of [["PUT", "/groups"], ["DELETE", "/"], ["OPTIONS", "/groups"]] as const
  ) {
    assert.equal(await errorOf(await ask(fake, path, { method })), "405 METHOD_NOT_ALLOWED");
  }
});

test("createFakeAtlas() refuses writes that are not JSON", async () => {
  const fake = createFakeAtlas();
  const post = async (value: unknown, type?: string) => errorOf(await write(fake, "POST", "/groups", value, type));
  const good = { name: "good", orgId: ORG };
  assert.equal(await post(good, "text/plain;charset=UTF-8"), "415 UNSUPPORTED_MEDIA_TYPE");
  assert.equal(await post(good, "application/jsonp"), "415 UNSUPPORTED_MEDIA_TYPE");
  assert.equal(await post(good, ""), "415 UNSUPPORTED_MEDIA_TYPE");
  const bare = await ask(fake, "/groups", { method: "POST" });
  assert.equal(await errorOf(bare), "415 UNSUPPORTED_MEDIA_TYPE");
  for (const body of ["", "{", "null", "1", "[]", "[{}]"]) {
    assert.equal(await post(body), "400 MALFORMED_JSON", body);
  }
  const types = ["application/json; charset=utf-8", "Application/JSON", ACCEPT];
  for (const [index, type] of types.entries()) {
    const response = await write(fake, "POST", "/groups", { ...good, name: `good-${index}` }, type);
    assert.equal(response.status, 200, type);
  }
});

test("createFakeAtlas() lists in pages", async () => {
  const fake = createFakeAtlas({ projects: 501 });
  const list = async (query: string) => jsonOf(await ask(fake, `/groups${query}`));
  const names = (page: { results: { name: string }[] }) => page.results.map(({ name }) => name);

  const all = await list("");
  assert.equal(all.totalCount, 501);
  assert.equal(all.results.length, 100);
  assert.deepEqual(all.links, [
    { rel: "self", href: `${V2}/groups?pageNum=1&itemsPerPage=100` },
    { rel: "next", href: `${V2}/groups?pageNum=2&itemsPerPage=100` },
  ]);
  const middle = await list("?itemsPerPage=2&pageNum=2&name=a%26b");
  assert.deepEqual(names(middle), ["project-3", "project-4"]);
  assert.deepEqual(middle.links, [
    { rel: "self", href: `${V2}/groups?itemsPerPage=2&pageNum=2&name=a%26b` },
    { rel: "next", href: `${V2}/groups?itemsPerPage=2&pageNum=3&name=a%26b` },
  ]);
  const last = await list("?itemsPerPage=500&pageNum=2");
  assert.deepEqual(names(last), ["project-501"]);
  assert.deepEqual(last.links.map(({ rel }: { rel: string }) => rel), ["self"]);
  const exact = await list("?itemsPerPage=3&pageNum=167");
  assert.deepEqual(exact.links.map(({ rel }: { rel: string }) => rel), ["self"]);
  assert.deepEqual((await list("?pageNum=9")).results, []);
  assert.equal((await list("?includeCount=true")).totalCount, 501);

  for (const query of ["pageNum=0", "pageNum=x", "itemsPerPage=0", "itemsPerPage=501", "itemsPerPage=1.5"]) {
    const response = await ask(fake, `/groups?${query}`);
    const { badRequestDetail } = await jsonOf(response.clone());
    assert.equal(await errorOf(response), "400 VALIDATION_ERROR", query);
    assert.equal(badRequestDetail.fields[0].field, query.split("=")[0]);
  }
});

test("createFakeAtlas() holds as many projects as wanted, the first of them at a place that is known", async () => {
  const list = async (fake: FakeAtlas) => jsonOf(await ask(fake, "/groups"));
  assert.equal((await list(createFakeAtlas({ projects: 0 }))).totalCount, 0);
  const { results: [first], totalCount } = await list(createFakeAtlas({ projects: undefined }));
  assert.equal(totalCount, 3);
  const { id, orgId } = first;
  assert.deepEqual([id, orgId], ["65f1c0de0000000000000002", "65f1c0de0000000000000000"]);
});

test("createFakeAtlas() creates projects", async () => {
  const fake = createFakeAtlas();
  const created = await write(fake, "POST", "/groups", { name: "Größe-1", orgId: ORG, tags: [], id: "x" }, ACCEPT);
  assert.equal(created.status, 200);
  const project = await jsonOf(created);
  assert.match(project.id, /^[0-9a-f]{24}$/);
  assert.ok(Date.now() - Date.parse(project.created) < 60_000);
  const { id } = project;
  assert.deepEqual(project, {
    name: "Größe-1",
    orgId: ORG,
    tags: [],
    id,
    created: project.created,
    clusterCount: 0,
  });
  assert.deepEqual(await jsonOf(await ask(fake, `/groups/${id}`)), project);
  assert.deepEqual((await jsonOf(await ask(fake, "/groups"))).results[3], project);

  for (
    const [value, field] of [[{ orgId: ORG }, "name"], [{ name: 1, orgId: ORG }, "name"], [{ name: "a" }, "orgId"]]
  ) {
    const refused = await write(fake, "POST", "/groups", value);
    assert.equal((await jsonOf(refused.clone())).badRequestDetail.fields[0].field, field);
    assert.equal(await errorOf(refused), "400 VALIDATION_ERROR");
  }
  const gone = await ask(fake, "/groups/x");
  assert.deepEqual((await jsonOf(gone.clone())).parameters, ["x"]);
  assert.equal(await errorOf(gone), "404 GROUP_NOT_FOUND");
  assert.equal((await jsonOf(await ask(fake, "/groups"))).totalCount, 4);
});

test("createFakeAtlas() takes its time to create, change and delete clusters", async () => {
  await withClock(async (forward) => {
    const fake = createFakeAtlas({ clusterDelay: 400 });
    const id = await firstProject(fake);
    const clusters = `/groups/${id}/clusters`;
    const state = async (name: string) => (await jsonOf(await ask(fake, `${clusters}/${name}`))).stateName;
    assert.equal(await state("Cluster0"), "IDLE");

    const created = await write(fake, "POST", clusters, { name: "new", clusterType: "SHARDED" });
    assert.equal(created.status, 201);
    const cluster = await jsonOf(created);
    assert.deepEqual(cluster, {
      clusterType: "SHARDED",
      paused: false,
      name: "new",
      id: cluster.id,
      groupId: id,
      createDate: cluster.createDate,
      stateName: "CREATING",
    });
    forward(399);
    assert.equal(await state("new"), "CREATING");
    forward(1);
    assert.equal(await state("new"), "IDLE");

    const changed = await write(fake, "PATCH", `${clusters}/new`, { paused: true, name: "x" });
    assert.equal(changed.status, 200);
    assert.deepEqual(await jsonOf(changed), { ...cluster, paused: true, stateName: "UPDATING" });
    forward(400);
    const list = await jsonOf(await ask(fake, clusters));
    assert.equal(list.totalCount, 2);
    assert.deepEqual(list.results[1], { ...cluster, paused: true, stateName: "IDLE" });

    const deleted = await ask(fake, `${clusters}/new`, { method: "DELETE" });
    assert.equal(deleted.status, 202);
    assert.equal(deleted.headers.get("Content-Type"), `${ACCEPT};charset=utf-8`);
    assert.equal(await deleted.text(), "");
    forward(399);
    assert.equal(await state("new"), "DELETING");
    for (
      const response of [
        await ask(fake, `${clusters}/new`, { method: "DELETE" }),
        await write(fake, "PATCH", `${clusters}/new`, { paused: false }),
      ]
    ) {
      assert.equal(await errorOf(response), "409 CLUSTER_ALREADY_REQUESTED_DELETION");
    }
    forward(1);
    const gone = await ask(fake, `${clusters}/new`);
    assert.deepEqual((await jsonOf(gone.clone())).parameters, ["new", id]);
    assert.equal(await errorOf(gone), "404 CLUSTER_NOT_FOUND");
    assert.equal((await jsonOf(await ask(fake, `/groups/${id}`))).clusterCount, 1);
  });
});

test("createFakeAtlas() refuses clusters that Atlas would", async () => {
  const fake = createFakeAtlas({ clusterDelay: 0 });
  const clusters = `/groups/${await firstProject(fake)}/clusters`;
  const post = async (value: unknown) => errorOf(await write(fake, "POST", clusters, value));
  assert.equal(await post({}), "400 VALIDATION_ERROR");
  assert.equal(await post({ name: "a b" }), "400 VALIDATION_ERROR");
  assert.equal(await post({ name: "Cluster0" }), "409 DUPLICATE_CLUSTER_NAME");
  const nowhere = await ask(fake, `/groups/${"0".repeat(24)}/clusters`);
  assert.equal(await errorOf(nowhere), "404 GROUP_NOT_FOUND");
});

test("createFakeAtlas() hands out a log in gzip", async () => {
  const fake = createFakeAtlas();
  const id = await firstProject(fake);
  const path = `/groups/${id}/clusters/cluster0-shard-00-00.abcde.mongodb.net/logs/mongodb.gz`;
  const Accept = "application/vnd.atlas.2025-03-12+gzip";
  const response = await ask(fake, path, { headers: { Accept } });
  assert.equal(response.headers.get("Content-Type"), Accept);
  assert.equal(response.headers.get("Content-Encoding"), null);
  const lines = gunzipSync(await response.arrayBuffer()).toString().trim().split("\n");
  assert.ok(lines.length > 0 && lines.every((line) => JSON.parse(line).t.$date));
  assert.equal(await errorOf(await ask(fake, path)), "406 INVALID_VERSION_DATE");
  const legacy = await ask(fake, path.replace("/groups", "/api/atlas/v1.0/groups"));
  assert.equal(legacy.headers.get("Content-Type"), "application/gzip");
});
