import assert from "node:assert/strict";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { inspect } from "node:util";
import { command, refusal, server } from "./command.ts";

const home = await mkdtemp(join(tmpdir(), "atlas-fetch-secrets-"));
after(() => rm(home, { recursive: true }));

/** Each secret holds the mark, and nothing else does. */
const MARK = "m4rked";
const identities = {
  key: { MONGODB_ATLAS_PUBLIC_API_KEY: "abcdefgh", MONGODB_ATLAS_PRIVATE_API_KEY: `${MARK}-private` },
  account: { MONGODB_ATLAS_CLIENT_ID: "mdb_sa_id_1", MONGODB_ATLAS_CLIENT_SECRET: `mdb_sa_sk_${MARK}` },
  token: { MONGODB_ATLAS_ACCESS_TOKEN: `${MARK}-token` },
  "half a pair": { MONGODB_ATLAS_PRIVATE_API_KEY: `${MARK}-private` },
  "a wrong pair": { ATLAS_USER: `mdb_sa_id_${MARK}`, ATLAS_USER_KEY: `${MARK}\n` },
};
const calls = [
  ["/x"],
  ["/x", "-v"],
  ["/x", "-v", "-i"],
  ["/x", "-v", "--paginate"],
  ["/x", "-v", "--wait", "a=b", "--timeout", "0.02s"],
  ["/x", "-v", "-d", "{}"],
  ["/x", "-v", "-q", "a"],
  ["/x", "--curl"],
  ["/x", "--fake", "-v", "-i"],
  ["/x", "--no-cache", "-v"],
  [`https://ada:${MARK}@cloud.mongodb.com/x`],
  [`https://ada:${MARK}@evil.example/x`, "--curl"],
  ["/x", "-H", `Authorization: Bearer ${MARK}`],
  ["/x", "-H", `${MARK}`],
  ["/x", "-H", `x: ${MARK}\u{1f511}`],
  ["/x", `--user=ada:${MARK}`],
  ["/x", "-u", `ada:${MARK}`],
  ["/x", `--private-key=${MARK}`],
  ["/x", "--timeout", MARK],
  ["/x", "--api-version", MARK],
  ["/x", "--format", MARK],
  ["/x", "--wait", `${MARK} x`],
  ["/x", "-d", MARK],
  ["/x", MARK],
  ["serve", "--port", MARK],
];
/** What comes back: nothing, refusals, and servers that quote what they were sent. */
const answers: ((headers: Headers) => Response | Promise<Response>)[] = [
  () => Response.json({ results: [{ a: 1 }] }),
  () => new Response(null, { status: 401, headers: { "www-authenticate": 'Digest realm="x", nonce="n", qop="auth"' } }),
  (headers) => refusal(403, "FORBIDDEN", `You sent ${headers.get("authorization")}`),
  (headers) => refusal(400, "INVALID", JSON.stringify([...headers])),
  (headers) => {
    // As Node's parser has it of a peer that echoes the request.
    const cause = Object.assign(new Error("Expected HTTP/"), { code: "HPE_INVALID_CONSTANT", data: [...headers] });
    return Promise.reject(new TypeError("fetch failed", { cause }));
  },
];

test("atlas-fetch shows no key, secret or token, whatever goes wrong", async () => {
  let count = 0;
  for (const [identity, variables] of Object.entries(identities)) {
    for (const args of calls) {
      for (const answer of answers) {
        const fetch = server(({ url, headers }) => {
          if (url.pathname !== "/api/oauth/token") return answer(headers);
          return Response.json({ access_token: `${MARK}-minted`, expires_in: 3600 });
        });
        const env = { ...variables, XDG_CACHE_HOME: home, HTTPS_PROXY: `http://ada:${MARK}@proxy.example` };
        const useProxy = args.includes("-q") ? () => assert.fail(`Invalid URL: ${env.HTTPS_PROXY}`) : undefined;
        const outcome = await command(args, { fetch, env, useProxy });
        // With --include the answer goes to stdout as the server sent it, whatever that quotes.
        const shown = args.includes("-i") ? outcome.stderr : inspect(outcome);
        assert.ok(!shown.includes(MARK), `${identity}, ${args}, ${answer}: ${inspect(outcome)}`);
        assert.notEqual(outcome.stdout + outcome.stderr, "");
        count++;
      }
    }
  }
  assert.equal(count, Object.keys(identities).length * calls.length * answers.length);
  const names = await readdir(home, { recursive: true });
  assert.ok(names.length > 1);
  for (const name of names) assert.ok(!name.includes(MARK), name);
  for (const name of await readdir(join(home, "atlas-fetch"))) {
    assert.ok(!(await readFile(join(home, "atlas-fetch", name), "utf8")).includes("mdb_sa_sk_"));
  }
});
