import assert from "node:assert/strict";
import { test } from "node:test";
import { createFakeAtlas } from "../lib/testing.ts";
import {
  ask,
  bearer,
  errorOf,
  FORM,
  GRANT,
  jsonOf,
  mint,
  oauth,
  ORIGIN,
  SERVICE_ACCOUNT,
  withClock,
} from "./fake_client.ts";

/** Reads an error in OAuth's shape, and holds that it is one. */
async function oauthErrorOf(response: Response): Promise<string> {
  assert.equal(response.headers.get("X-Error-Code"), null);
  assert.equal(response.headers.get("Content-Type"), "application/json");
  const { error, error_description, ...rest } = await jsonOf(response);
  assert.equal(typeof error_description, "string");
  assert.deepEqual(rest, {});
  return `${response.status} ${error}`;
}

test("createFakeAtlas() gives a service account tokens and lets them in", async () => {
  const fake = createFakeAtlas({ serviceAccount: SERVICE_ACCOUNT });
  const answer = await mint(fake);
  assert.deepEqual(answer, {
    access_token: answer.access_token,
    expires_in: 3600,
    token_type: "Bearer",
  });
  const other = await mint(fake);
  assert.notEqual(other.access_token, answer.access_token);
  for (const { access_token } of [answer, other, answer]) {
    const response = await bearer(fake, access_token);
    assert.equal(response.status, 200);
    assert.equal((await jsonOf(response)).apiKey, null);
  }
  // The key is let in beside it.
  assert.equal((await ask(fake, "/groups")).status, 200);
});

test("createFakeAtlas() refuses tokens that are unknown, expired or revoked", async () => {
  const fake = createFakeAtlas({ serviceAccount: SERVICE_ACCOUNT, tokenLifetime: 400 });
  const refused = async (token: string) => {
    const response = await bearer(fake, token);
    if (response.status === 200) return false;
    assert.equal(response.status, 401);
    assert.deepEqual([...response.headers.keys()], ["content-type"]);
    assert.equal((await jsonOf(response)).errorCode, "UNEXPECTED_ERROR");
    return true;
  };
  await withClock(async (forward) => {
    assert.equal(await refused("unknown"), true);
    const { access_token, expires_in } = await mint(fake);
    assert.equal(expires_in, 1);
    forward(399);
    assert.equal(await refused(access_token), false);
    forward(1);
    assert.equal(await refused(access_token), true);

    const [revoked, kept] = [(await mint(fake)).access_token, (await mint(fake)).access_token];
    const form = `token=${revoked}&token_type_hint=access_token`;
    for (let i = 0; i < 2; i++) {
      const response = await oauth(fake, form, { path: "revoke" });
      assert.equal(response.status, 200);
      assert.equal(await response.text(), "");
    }
    assert.equal(await refused(revoked), true);
    assert.equal(await refused(kept), false);
  });
});

test("createFakeAtlas() refuses mints in OAuth's shape", async () => {
  const fake = createFakeAtlas({ serviceAccount: SERVICE_ACCOUNT });
  for (const path of ["token", "revoke"]) {
    const encoded = SERVICE_ACCOUNT.clientSecret.replaceAll("_", "%5F");
    const { clientId } = SERVICE_ACCOUNT;
    for (const basic of ["", "a:b", `${clientId}:`, "a", `${clientId}:${encoded}`]) {
      assert.equal(await oauthErrorOf(await oauth(fake, GRANT, { path, basic })), "401 invalid_client");
    }
    for (const [form, type] of [["", FORM], ["grant_type=password", FORM], [GRANT, "text/plain"], [GRANT, ""]]) {
      const response = await oauth(fake, String(form), { path, type: String(type) });
      assert.equal(await oauthErrorOf(response), "400 invalid_request", `${path} ${form} ${type}`);
    }
    const basic64 = btoa(`${clientId}:${SERVICE_ACCOUNT.clientSecret}`);
    const headers = { Authorization: `basic ${basic64}` };
    const bare = await fake(`${ORIGIN}/api/oauth/${path}`, { method: "POST", headers });
    assert.equal(await oauthErrorOf(bare), "400 invalid_request");
    const get = await fake(`${ORIGIN}/api/oauth/${path}`);
    assert.equal(await errorOf(get), "405 METHOD_NOT_ALLOWED");
  }
  const none = await oauth(createFakeAtlas(), GRANT);
  assert.deepEqual(await jsonOf(none.clone()), {
    error: "invalid_client",
    error_description: "Invalid credentials provided.",
  });
  assert.equal(await oauthErrorOf(none), "401 invalid_client");
  // No account is not the same as no credentials.
  assert.equal(await oauthErrorOf(await oauth(createFakeAtlas(), GRANT, { basic: "" })), "401 invalid_client");
});

test("createFakeAtlas() compares the service account's secret as UTF-8", async () => {
  const serviceAccount = { ...SERVICE_ACCOUNT, clientSecret: "é€" };
  const basic = `${serviceAccount.clientId}:é€`;
  const response = await oauth(createFakeAtlas({ serviceAccount }), GRANT, { basic });
  assert.equal(response.status, 200);
});

test("createFakeAtlas() mints 50 tokens in any minute, or as many as wanted", async () => {
  await withClock(async (forward) => {
    const fake = createFakeAtlas({ serviceAccount: SERVICE_ACCOUNT });
    await oauth(fake, ""); // what is refused does not count
    await mint(fake);
    forward(10_000);
    for (let i = 1; i < 50; i++) await mint(fake);
    const response = await oauth(fake, GRANT);
    assert.equal(response.headers.get("Retry-After"), "50");
    assert.equal(await errorOf(response), "429 RATE_LIMITED");
    forward(49_999);
    const last = await oauth(fake, GRANT);
    assert.equal(last.headers.get("Retry-After"), "1");
    forward(1);
    await mint(fake);
    assert.equal((await oauth(fake, GRANT)).status, 429);

    const none = createFakeAtlas({ serviceAccount: SERVICE_ACCOUNT, mintsPerMinute: 0 });
    const refused = await oauth(none, GRANT);
    assert.equal(refused.headers.get("Retry-After"), "60");
    assert.equal(await errorOf(refused), "429 RATE_LIMITED");
  });
});

test("createFakeAtlas() mints no token beside 100 that are still valid", async () => {
  await withClock(async (forward) => {
    const fake = createFakeAtlas({ serviceAccount: SERVICE_ACCOUNT, mintsPerMinute: 1000 });
    const tokens: string[] = [];
    for (let i = 0; i < 100; i++) tokens.push((await mint(fake)).access_token);
    const refused = await oauth(fake, GRANT);
    const { error_description } = await jsonOf(refused.clone());
    assert.match(error_description, /^Access Token limit reached/);
    assert.equal(await oauthErrorOf(refused), "403 access_denied");
    assert.equal((await bearer(fake, String(tokens[0]))).status, 200);

    await oauth(fake, `token=${tokens[7]}`, { path: "revoke" });
    await mint(fake);
    assert.equal(await oauthErrorOf(await oauth(fake, GRANT)), "403 access_denied");
    forward(3_600_000);
    await mint(fake);
  });
});
