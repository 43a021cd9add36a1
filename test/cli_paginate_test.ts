import assert from "node:assert/strict";
import { test } from "node:test";
import { command, KEY, memory, refusal, server } from "./command.ts";

/** A page of a list in Atlas's shape, with more pages behind it if there is a `next`. */
function page(items: string, next?: unknown): string {
  return `{"links":${
    JSON.stringify(next === undefined ? [] : [{ rel: "self" }, { rel: "next", href: next }])
  }, "results": [${items}] }`;
}

/** Three pages of the numbers that JavaScript cannot hold. */
const numbers = (answer: (pageNum: number) => string | Response | undefined = () => undefined) =>
  server(({ url }) => {
    const pageNum = Number(url.searchParams.get("pageNum") ?? 1);
    const next = `https://elsewhere.example/api/atlas/v2/other?pageNum=${pageNum + 1}&itemsPerPage=500`;
    const item = (part: number) => `{"n": 1234567890123456789${pageNum}.${part}0, "s": "],}\\\\\\""}`;
    return answer(pageNum) ?? page(`${item(1)} , ${item(2)}`, pageNum < 3 ? next : undefined);
  });

const lines = (stdout: string) => stdout.split("\n");

test("atlas-fetch --paginate prints the items of all pages as one array, each as it was sent", async () => {
  const fetch = numbers();
  const { code, stdout, stderr } = await command(["/list?a=b#c", "--paginate"], { fetch });
  assert.deepEqual([code, stderr], [0, ""]);
  assert.deepEqual(lines(stdout).slice(0, 3), [
    "[",
    '{"n":12345678901234567891.10,"s":"],}\\\\\\""},',
    '{"n":12345678901234567891.20,"s":"],}\\\\\\""},',
  ]);
  assert.deepEqual(lines(stdout).slice(-3), ['{"n":12345678901234567893.20,"s":"],}\\\\\\""}', "]", ""]);
  assert.equal(JSON.parse(stdout).length, 6);
  assert.deepEqual(fetch.requests.map(({ url }) => url.host + url.pathname + url.search), [
    "cloud.mongodb.com/api/atlas/v2/list?a=b&itemsPerPage=500",
    "cloud.mongodb.com/api/atlas/v2/list?pageNum=2&itemsPerPage=500",
    "cloud.mongodb.com/api/atlas/v2/list?pageNum=3&itemsPerPage=500",
  ]);
});

test("atlas-fetch --paginate asks for pages of the size that the path has", async () => {
  const fetch = server(() => page(""));
  assert.equal((await command(["/list?itemsPerPage=7", "--paginate"], { fetch })).stdout, "[]\n");
  await command(["/list", "--paginate"], { fetch });
  assert.deepEqual(fetch.requests.map(({ url }) => url.search), ["?itemsPerPage=7", "?itemsPerPage=500"]);
});

test("atlas-fetch --paginate ends where a next leads back, follows one that is relative, and fails for one that is no URL", async () => {
  const looping = server(() => page("1", "?itemsPerPage=500&pageNum=1"));
  assert.deepEqual(await command(["/list", "--paginate"], { fetch: looping }), {
    code: 0,
    stdout: "[\n1\n]\n",
    stderr: "",
  });
  const relative = server(({ url }) =>
    page(
      String(url.searchParams.get("pageNum")),
      url.search.includes("=3") ? undefined : url.search.includes("=2") ? "/x?pageNum=3" : "?pageNum=2",
    )
  );
  assert.equal((await command(["/list", "--paginate"], { fetch: relative })).stdout, "[\nnull,\n2,\n3\n]\n");
  for (const next of ["", "http://[", null]) {
    const { code, stdout, stderr } = await command(["/list", "--paginate"], { fetch: server(() => page("1", next)) });
    assert.deepEqual([code, stdout], [1, "[\n1"]);
    assert.equal(stderr, "The next link of page 1 is no URL. 1 items are out, and the array is not closed\n");
  }
});

test("atlas-fetch --paginate takes a plain array for one page, and prints what is no list as it is", async () => {
  const answers: [answer: string, stdout: string][] = [
    [" [1 , 2]", "[\n1,\n2\n]\n"],
    ['{"id": 1}', '{"id": 1}'],
    ['{"results": {"a": 1}}', '{"results": {"a": 1}}'],
    ["a,b\n", "a,b\n"],
    ["", ""],
  ];
  for (const [answer, stdout] of answers) {
    const fetch = server(() => answer);
    assert.deepEqual(await command(["/x", "--paginate"], { fetch }), { code: 0, stdout, stderr: "" }, answer);
  }
});

test("atlas-fetch --paginate --query has the array of all items as its root", async () => {
  const queries: [query: string, stdout: string[]][] = [
    ["[].n", ["1.1", "1.2", "2.1", "2.2", "3.1", "3.2"].map((n) => `1234567890123456789${n}0`)],
    ["[4].n", ["12345678901234567893.10"]],
    ["[].none", []],
    ["[1].s", ['],}\\"']],
  ];
  for (const [query, stdout] of queries) {
    const fetch = numbers();
    const outcome = await command(["/list", "--paginate", "-q", query], { fetch });
    assert.deepEqual(outcome, { code: 0, stdout: stdout.map((line) => `${line}\n`).join(""), stderr: "" });
    assert.equal(fetch.requests.length, query === "[1].s" ? 1 : 3); // it knows when it has all
  }
  const all = await command(["/list", "--paginate", "-q", "[]"], { fetch: server(() => '[{"a": 1}, "x"]') });
  assert.equal(all.stdout, '{"a":1}\nx\n');
  const failures: [query: string, stderr: string][] = [
    ["[6]", "Cannot find [6] in the answer: there is a list of 6. 6 items are out"],
    ["[5].x", "Cannot find x in the answer: there is n, s. 4 items are out"],
  ];
  for (const [query, stderr] of failures) {
    const outcome = await command(["/list", "--paginate", "-q", query], { fetch: numbers() });
    assert.deepEqual(outcome, { code: 1, stdout: "", stderr: `${stderr}\n` });
  }
  const noList = await command(["/x", "--paginate", "-q", "[].id"], { fetch: server(() => '{"id":1}') });
  assert.deepEqual(noList, { code: 1, stdout: "", stderr: "Cannot find [] in the answer: there is id\n" });
});

test("atlas-fetch --paginate leaves the array unclosed when a later page fails, and says how far it came", async () => {
  const troubles: [code: number, answer: () => string | Response, stderr: RegExp][] = [
    [
      4,
      () => refusal(403, "IP_ADDRESS_NOT_ON_ACCESS_LIST", "No"),
      /^403 IP_ADDRESS_NOT_ON_ACCESS_LIST at .*\. 2 items are out, and the array is not closed\n$/,
    ],
    [
      5,
      () => refusal(500, "UNEXPECTED_ERROR", "Oh", { "retry-after": "3600" }),
      /^500 UNEXPECTED_ERROR .* 2 items are out/,
    ],
    [1, () => '{"id":1}', /^Page 2 of the list is no list\. 2 items are out, and the array is not closed\n$/],
    [1, () => "<html>", /^Page 2 of the list is no list/],
  ];
  for (const [code, answer, stderr] of troubles) {
    const fetch = numbers((pageNum) => pageNum === 2 ? answer() : undefined);
    const outcome = await command(["/list", "--paginate"], { fetch });
    assert.equal(outcome.code, code, outcome.stderr);
    assert.match(outcome.stdout, /^\[\n\{.*\},\n\{.*\}$/);
    assert.match(outcome.stderr, stderr);
    const first = await command(["/list", "--paginate"], { fetch: server(() => refusal(404, "GONE", "Not there")) });
    assert.deepEqual(first, { code: 4, stdout: "", stderr: "404 GONE at /api/atlas/v2/list: Not there\n" });
  }
});

test("atlas-fetch --paginate --timeout leaves the array unclosed", async () => {
  const fetch = server((_, count) => count === 1 ? page("1", "?pageNum=2") : new Promise(() => {}));
  const outcome = await command(["/list", "--paginate", "--timeout", "0.05s"], { fetch });
  const stderr = "Gave up after 0.05 s. 1 items are out, and the array is not closed\n";
  assert.deepEqual(outcome, { code: 124, stdout: "[\n1", stderr });
});

test("atlas-fetch --paginate asks for the next page once its reader has taken the last", async () => {
  const asked: number[] = [];
  const stdout = memory();
  const write = async (data: string | Uint8Array) => {
    await new Promise((resolve) => setTimeout(resolve, 5));
    asked.push(fetch.requests.length);
    await stdout.write(data);
  };
  const fetch = numbers();
  await command(["/list", "--paginate"], { fetch, stdout: { ...stdout, write } });
  assert.deepEqual(asked, [1, 2, 3, 3]);
  assert.equal(JSON.parse(stdout.text()).length, 6);
});

test("atlas-fetch --paginate indents for a terminal", async () => {
  const fetch = server(() => page('{"a":[1]},"\u009b2J"'));
  const { stdout } = await command(["/list", "--paginate"], { fetch, isTerminal: true, env: { ...KEY, TERM: "dumb" } });
  assert.equal(stdout, '[\n  {\n    "a": [\n      1\n    ]\n  },\n  "\\u009b2J"\n]\n');
});
