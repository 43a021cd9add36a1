import assert from "node:assert/strict";
import { test } from "node:test";
import { ensureOk } from "../lib/atlas_error.ts";
import { answer, atlasAnswer, errorOf } from "./atlas_answer.ts";

test("ensureOk() passes a good response on as it is, unread", async () => {
  for (const status of [200, 201, 204, 299]) {
    const response = answer(status === 204 ? null : "{}", { status });
    assert.equal(await ensureOk(response), response);
    assert.equal(await ensureOk(Promise.resolve(response)), response);
    assert.equal(response.bodyUsed, false);
  }
});

test("ensureOk() makes an AtlasError of every other status", async () => {
  for (const status of [300, 302, 304, 400, 403, 404, 409, 500, 503, 599]) {
    const error = await errorOf(answer(null, { status }));
    assert.equal(error.status, status);
    assert.equal(error.message, `${status} at /api/atlas/v2/groups`);
  }
  const lost = new TypeError("fetch failed");
  await assert.rejects(ensureOk(Promise.reject(lost)), lost);
});

test("AtlasError is an Error with a name, a stack and a response that is not enumerable", async () => {
  const response = atlasAnswer(404, "CLUSTER_NOT_FOUND", {
    detail: "No cluster named X exists in group 1.",
    reason: "Not Found",
    parameters: ["X", "1"],
  });
  const error = await errorOf(response);
  assert.ok(error instanceof Error);
  assert.equal(error.name, "AtlasError");
  assert.equal(Object.prototype.toString.call(error), "[object Error]");
  assert.match(String(error.stack), /^AtlasError: 404 CLUSTER_NOT_FOUND at \/api\/atlas\/v2\/groups: No cluster/);
  assert.equal(error.response, response);
  assert.equal(response.bodyUsed, true);
  assert.deepEqual({ ...error }, {
    status: 404,
    code: "CLUSTER_NOT_FOUND",
    detail: "No cluster named X exists in group 1.",
    reason: "Not Found",
    parameters: ["X", "1"],
  });
  assert.ok(!Object.keys(error).includes("response"));
  assert.equal(
    error.message,
    "404 CLUSTER_NOT_FOUND at /api/atlas/v2/groups: No cluster named X exists in group 1",
  );
});

test("AtlasError shows which fields of the body are wrong", async () => {
  const error = await errorOf(atlasAnswer(400, "VALIDATION_ERROR", {
    detail: "Validation Error.",
    badRequestDetail: {
      fields: [{ field: "name", description: "must not be blank." }, { field: "orgId", description: "is missing" }],
    },
  }));
  assert.deepEqual(error.fields, [
    { field: "name", description: "must not be blank." },
    { field: "orgId", description: "is missing" },
  ]);
  assert.equal(
    error.message,
    "400 VALIDATION_ERROR at /api/atlas/v2/groups: Validation Error. name: must not be blank.; orgId: is missing",
  );
});
