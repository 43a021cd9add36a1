import assert from "node:assert/strict";
import { test } from "node:test";
import { command, KEY, server } from "./command.ts";

const pub = '"$MONGODB_ATLAS_PUBLIC_API_KEY" "$MONGODB_ATLAS_PRIVATE_API_KEY"';
const accept = "-H 'accept: application/vnd.atlas.2025-03-12+json'";
const digest = (rest: string) =>
  `printf 'user = "%s:%s"\\n' ${pub} | curl -sS --globoff --config - --digest --fail-with-body ${rest}\n`;

test("atlas-fetch --curl prints a command in which keys are variables, and sends nothing", async () => {
  const url = "'https://cloud.mongodb.com/api/atlas/v2";
  const json = "-H 'content-type: application/json'";
  const calls: [args: string[], rest: string][] = [
    [["/groups?a=b c#d"], `${accept} ${url}/groups?a=b%20c'`],
    [["/groups/{groupId}/x"], `${accept} ${url}/groups/a%2Fb/x'`],
    [["/groups", "-d", '{"a":"it\'s"}'], `${accept} ${json} --data-binary '{"a":"it'\\''s"}' ${url}/groups'`],
    [
      ["/groups", "-X", "patch", "-d", "@a file"],
      `-X 'PATCH' ${accept} ${json} --data-binary '@a file' ${url}/groups'`,
    ],
    [["/groups", "-X", "head"], `--head ${accept} ${url}/groups'`],
    [["/groups", "-X", "delete", "-i", "--timeout", "1.5m"], `-i --max-time 90 -X 'DELETE' ${accept} ${url}/groups'`],
    [["/groups", "-H", "Accept: text/plain", "--verbose"], `-H 'accept: text/plain' ${url}/groups'`],
    [["/a.gz", "--api-version", "2024-08-05"], `-H 'accept: application/vnd.atlas.2024-08-05+gzip' ${url}/a.gz'`],
  ];
  for (const [args, rest] of calls) {
    const fetch = server(() => "{}");
    const outcome = await command([...args, "--curl"], { fetch, env: { ...KEY, MONGODB_ATLAS_PROJECT_ID: "a/b" } });
    assert.deepEqual(outcome, { code: 0, stdout: digest(rest), stderr: "" });
    assert.equal(fetch.requests.length, 0);
  }
  const { stdout } = await command(["/groups", "--curl", "-o", "it's"]);
  assert.equal(stdout, digest(`${accept} ${url}/groups'`).replace("--fail-with-body", "--fail -o 'it'\\''s'"));
});

test("atlas-fetch --curl names the variables that are set, and those of an API key if none are", async () => {
  const { stdout } = await command(["/", "--curl"], { env: {} });
  assert.ok(stdout.includes(pub), stdout);
  const tutorial = await command(["/", "--curl"], { env: { ATLAS_USER: "abc", ATLAS_USER_KEY: "s3cr3t" } });
  assert.ok(
    tutorial.stdout.startsWith(`printf 'user = "%s:%s"\\n' "$ATLAS_USER" "$ATLAS_USER_KEY" | curl `),
    tutorial.stdout,
  );
  const half = await command(["/", "--curl"], { env: { MONGODB_ATLAS_CLIENT_ID: "s3cr3t" } });
  assert.ok(half.stdout.includes(pub), half.stdout);
});

test("atlas-fetch --curl fetches a token first for a service account, at the host of the base URL", async () => {
  const env = {
    MONGODB_ATLAS_CLIENT_ID: "mdb_sa_id_1",
    MONGODB_ATLAS_CLIENT_SECRET: "mdb_sa_sk_s3cr3t",
    MONGODB_ATLAS_BASE_URL: "https://cloud.mongodbgov.com",
  };
  const { stdout } = await command(["/", "--curl"], { env });
  const [mint = "", call = "", end] = stdout.split("\n");
  assert.match(
    mint,
    /^token=\$\(printf 'user = "%s:%s"\\n' "\$MONGODB_ATLAS_CLIENT_ID" "\$MONGODB_ATLAS_CLIENT_SECRET" \| curl -sS /,
  );
  assert.match(mint, / -d grant_type=client_credentials 'https:\/\/cloud\.mongodbgov\.com\/api\/oauth\/token' \| sed /);
  assert.match(
    call,
    /^printf 'header = "Authorization: Bearer %s"\\n' "\$token" \| curl .* 'https:\/\/cloud\.mongodbgov\.com\/api\/atlas\/v2\/'$/,
  );
  assert.equal(end, "");
  assert.doesNotMatch(stdout, /mdb_sa/);
});

test("atlas-fetch --curl takes an access token from its variable", async () => {
  const { stdout } = await command(["/", "--curl"], { env: { ...KEY, MONGODB_ATLAS_ACCESS_TOKEN: "s3cr3t" } });
  assert.match(stdout, /^printf 'header = "Authorization: Bearer %s"\\n' "\$MONGODB_ATLAS_ACCESS_TOKEN" \| curl /);
});

test("atlas-fetch --curl remarks on what curl cannot do, and on a body from standard input", async () => {
  const { code, stdout, stderr } = await command(["/groups", "--curl", "--paginate", "-q", "[].id"]);
  assert.deepEqual([code, stdout], [0, digest(`${accept} 'https://cloud.mongodb.com/api/atlas/v2/groups'`)]);
  assert.equal(stderr, "curl has nothing like --paginate, --query: this asks once, for all there is\n");
  assert.match((await command(["/x", "--curl", "--wait", "404"])).stderr, /^curl has nothing like --wait:/);
  const stdin = { [Symbol.asyncIterator]: () => assert.fail("It was read") };
  const piped = await command(["/groups", "--curl", "-d", "@-"], { stdin });
  assert.match(piped.stdout, / --data-binary '@FILE' /);
  assert.match(piped.stderr, /^Standard input is taken: save the body, and name its file in place of FILE\n$/);
});

test("atlas-fetch --curl refuses what the call itself would be refused for", async () => {
  for (const args of [["https://evil.example/"], ["/{x}"], ["/x", "-d", "{a}"], ["/x", "-X", "GET", "-d", "{}"]]) {
    const { code, stdout, stderr } = await command([...args, "--curl"]);
    assert.deepEqual([code, stdout], [2, ""], stderr);
  }
});
