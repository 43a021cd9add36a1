import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { chmod, readdir, readFile, stat, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { command, inFolder, KEY, memory, refusal, server } from "./command.ts";

const terminal = { isTerminal: true, env: { ...KEY, TERM: "dumb" } };

/** Bytes as a body that comes in two parts and then, if so wanted, breaks off. */
function body(bytes: Uint8Array, error?: Error): Response {
  const parts = [bytes.subarray(0, 5), bytes.subarray(5)];
  return new Response(
    new ReadableStream({
      pull(controller) {
        const part = parts.shift();
        if (part) controller.enqueue(part);
        else if (error) controller.error(error);
        else controller.close();
      },
    }),
  );
}

// To standard output --------------------------------------------------------------------------------------

test("atlas-fetch prints to a pipe the bytes as they were sent", async () => {
  const bytes = Uint8Array.from({ length: 256 }, (_, byte) => byte);
  const stdout = memory();
  assert.equal((await command(["/log.gz"], { fetch: server(() => body(bytes)), stdout })).code, 0);
  assert.deepEqual(Buffer.from(stdout.bytes()), Buffer.from(bytes));
  const json = ' {"a" :12345678901234567890,\r\n"b":"\\u001b\u009b"}';
  assert.equal((await command(["/x"], { fetch: server(() => json) })).stdout, json);
});

test("atlas-fetch indents JSON for a terminal, keeps each number as it is, and ends the line", async () => {
  const fetch = server(() => '{"a":[1,{"b":-1.50e+3}],"c":{},"d":[ ],"e":"x\\"},[","f":12345678901234567890}');
  const { stdout } = await command(["/x"], { fetch, ...terminal });
  assert.equal(
    stdout,
    `{
  "a": [
    1,
    {
      "b": -1.50e+3
    }
  ],
  "c": {},
  "d": [],
  "e": "x\\"},[",
  "f": 12345678901234567890
}
`,
  );
  for (const scalar of ["null", "5", '"x"', "[]"]) {
    assert.equal((await command(["/x"], { fetch: server(() => scalar), ...terminal })).stdout, `${scalar}\n`);
  }
});

test("atlas-fetch lets nothing but line ends and tabs move the cursor of a terminal", async () => {
  const controls = String.fromCharCode(...Array.from({ length: 0xa0 }, (_, code) => code));
  const texts = [
    JSON.stringify({ name: controls }), // DEL and C1 stand in it as they are
    controls,
    "a,b\r\n1,2\r\n",
    '{"a": "\\u001b[2J"',
  ];
  for (const text of texts) {
    const fetch = server(() => new Response(text, { headers: { "x-evil": "\u009b2J" } }));
    for (const args of [["/x"], ["/x", "-i"], ["/x", "-q", "."], ["/x", "--paginate"], ["/x", "-q", "name"]]) {
      const { stdout, stderr } = await command(args, { fetch, ...terminal });
      assert.doesNotMatch(stdout + stderr, /(?![\n\t])\p{Cc}/u, `${args}: ${JSON.stringify(text)}`);
    }
  }
  const csv = server(() => new Response("a\tb\r\n1\x1b[2J"));
  assert.equal((await command(["/x"], { fetch: csv, ...terminal })).stdout, "a\tb\n1\\u001b[2J\n");
  assert.equal((await command(["/x"], { fetch: server(() => new Response()), ...terminal })).stdout, "");
});

test("atlas-fetch --include prints status, headers and body, of a refusal too, with the line on stderr", async () => {
  const fetch = server(() =>
    new Response('{"a":1}', { statusText: "OK", headers: { "X-One": "1", "Content-Type": "x/y" } })
  );
  const { stdout } = await command(["/x", "-i"], { fetch });
  assert.equal(stdout, 'HTTP/1.1 200 OK\ncontent-type: x/y\nx-one: 1\n\n{"a":1}');
  const gone = await command(["/x", "-i"], { fetch: server(() => refusal(404, "GONE", "Not there")) });
  assert.match(
    gone.stdout,
    /^HTTP\/1\.1 404\n(?:[\w-]+: .*\n)+\n\{"error":404,"errorCode":"GONE","detail":"Not there"\}$/,
  );
  assert.deepEqual([gone.code, gone.stderr], [4, "404 GONE at /api/atlas/v2/x: Not there\n"]);
  const head = await command(["/x", "-i", "-X", "head"], {
    fetch: server(() => new Response(null, { headers: { a: "b" } })),
  });
  assert.deepEqual(head, { code: 0, stdout: "HTTP/1.1 200\na: b\n\n", stderr: "" });
});

test("atlas-fetch fails with 1 when a body breaks off, and says so", async () => {
  const error = new TypeError("terminated", {
    cause: Object.assign(new Error("other side closed"), { code: "UND_ERR_SOCKET" }),
  });
  const fetch = server(() => body(Buffer.from("0123456789"), error));
  const outcome = await command(["/x"], { fetch });
  const stderr = "Lost the connection to cloud.mongodb.com: other side closed\n";
  assert.deepEqual(outcome, { code: 1, stdout: "0123456789", stderr });
});

// To a file -----------------------------------------------------------------------------------------------

test("atlas-fetch --output saves the body, and prints nothing", () =>
  inFolder(async (folder) => {
    const path = join(folder, "answer");
    const outcome = await command(["/x", "-o", path], { fetch: server(() => '{"a":1}') });
    assert.deepEqual(outcome, { code: 0, stdout: "", stderr: "" });
    assert.equal(await readFile(path, "utf8"), '{"a":1}');
    await command(["/x", "-o", path, "--paginate", "-q", "[]"], { fetch: server(() => '["ä", "b"]') });
    assert.equal(await readFile(path, "utf8"), "ä\nb\n");
    assert.deepEqual(await readdir(folder), ["answer"]);
    const umask = 0o666 & ~process.umask();
    assert.equal((await stat(path)).mode & 0o777, umask);
  }));

test("atlas-fetch --output keeps a file as it was when the call is refused, breaks off or is interrupted", () =>
  inFolder(async (folder) => {
    const path = join(folder, "answer");
    await writeFile(path, "old");
    const broken = () => body(Buffer.from("0123456789"), new TypeError("terminated"));
    const interrupted = new AbortController();
    const cases: [args: string[], answer: () => string | Response | Promise<Response>, code: number][] = [
      [[], () => refusal(404, "GONE", "Not there"), 4],
      [[], broken, 1],
      [["--paginate"], broken, 1],
      [["-q", "a.b"], () => '{"a":{}}', 1],
      [["--timeout", "0.05s"], () => new Promise(() => {}), 124],
      [[], () => {
        setTimeout(() => interrupted.abort(Object.assign(new Error("Ended by SIGTERM"), { exitCode: 143 })), 20);
        return new Response(new ReadableStream());
      }, 143],
    ];
    for (const [args, answer, code] of cases) {
      const outcome = await command(["/x", "-o", path, ...args], { fetch: server(answer), signal: interrupted.signal });
      assert.equal(outcome.code, code, outcome.stderr);
      assert.deepEqual([outcome.stdout, await readFile(path, "utf8")], ["", "old"]);
      assert.deepEqual(await readdir(folder), ["answer"]);
    }
  }));

test("atlas-fetch --output replaces a file whose mode it keeps, and what a link leads to", () =>
  inFolder(async (folder) => {
    const path = join(folder, "answer");
    await writeFile(path, "old");
    await chmod(path, 0o640);
    await symlink("answer", join(folder, "link"));
    await symlink(join(folder, "link"), join(folder, "absolute"));
    for (const [count, name] of ["answer", "link", "absolute"].entries()) {
      await command(["/x", "-o", join(folder, name)], { fetch: server(() => `${count}`) });
      assert.equal(await readFile(path, "utf8"), `${count}`);
      assert.equal((await stat(path)).mode & 0o777, 0o640);
    }
    await symlink("new", join(folder, "dangling"));
    await command(["/x", "-o", join(folder, "dangling")], { fetch: server(() => "5") });
    assert.equal(await readFile(join(folder, "new"), "utf8"), "5");
    assert.deepEqual((await readdir(folder)).sort(), ["absolute", "answer", "dangling", "link", "new"]);
  }));

test("atlas-fetch --output sends nothing for a file that cannot be written", () =>
  inFolder(async (folder) => {
    await symlink("loop", join(folder, "loop"));
    for (const file of [join(folder, "none", "x"), folder, join(folder, "loop")]) {
      const fetch = server(() => "{}");
      const { code, stdout, stderr } = await command(["/x", "-d", "{}", "-o", file], { fetch });
      assert.deepEqual([code, stdout, fetch.requests.length], [1, "", 0], stderr);
      assert.match(stderr, /^Cannot write \S+: E(NOENT|ISDIR|LOOP|ACCES)[^\n]+\n$/);
    }
  }));

test("atlas-fetch --output writes to what is no file as it is", (t) => {
  if (process.platform === "win32") return t.skip("Windows has neither");
  return inFolder(async (folder) => {
    const discarded = await command(["/x", "-o", "/dev/null"], { fetch: server(() => "{}") });
    assert.deepEqual(discarded, { code: 0, stdout: "", stderr: "" });
    assert.ok((await stat("/dev/null")).isCharacterDevice());
    const full = await command(["/x", "-o", "/dev/full"], { fetch: server(() => "{}") });
    assert.match(full.stderr, /^Cannot write \/dev\/full: (ENOSPC|No space)/);
    assert.equal(full.code, 1);
    const pipe = join(folder, "pipe");
    execFileSync("mkfifo", [pipe]);
    const writing = command(["/x", "-o", pipe], { fetch: server(() => "{}") });
    const [read, outcome] = await Promise.all([readFile(pipe, "utf8"), writing]);
    assert.deepEqual([read, outcome.code], ["{}", 0]);
    const failed = await command(["/x", "-o", "/dev/null"], { fetch: server(() => refusal(404, "GONE", "")) });
    assert.equal(failed.code, 4);
  });
});

test("atlas-fetch --output - is standard output, and with --include the headers go there", () =>
  inFolder(async (folder) => {
    const path = join(folder, "answer");
    const fetch = server(() => new Response("{}", { headers: { a: "b", "content-type": "x/y" } }));
    assert.equal((await command(["/x", "-o", "-"], { fetch })).stdout, "{}");
    const { stdout } = await command(["/x", "-i", "-o", path], { fetch });
    assert.deepEqual([stdout, await readFile(path, "utf8")], ["HTTP/1.1 200\na: b\ncontent-type: x/y\n\n", "{}"]);
    const gone = await command(["/x", "-i", "-o", path], { fetch: server(() => refusal(404, "GONE", "Not there")) });
    assert.match(gone.stdout, /^HTTP\/1\.1 404\n[^]*\n\n\{"error":404/);
    assert.equal(await readFile(path, "utf8"), "{}");
  }));

test("atlas-fetch --output says that 0 bytes are none of its doing", () =>
  inFolder(async (folder) => {
    const path = join(folder, "answer");
    const outcome = await command(["/log.gz", "-o", path], { fetch: server(() => new Response()) });
    assert.deepEqual(outcome, { code: 0, stdout: "", stderr: `${path} has 0 bytes: so had the answer\n` });
    assert.equal((await stat(path)).size, 0);
  }));

// A query -------------------------------------------------------------------------------------------------

const list =
  '{ "totalCount": 12345678901234567890, "results": [{"name": "a", "tags": [1, 2.50]}, {"name":"b"}, {"id": null}] }';

test("atlas-fetch --query prints the values at a path, one a line", async () => {
  const queries: [query: string, stdout: string][] = [
    ["results[].name", "a\nb\n"],
    [".results[].tags", "[1,2.50]\n"],
    ["results[].tags[]", "1\n2.50\n"],
    ["results[1].name", "b\n"],
    ["results[2].id", "null\n"],
    ["totalCount", "12345678901234567890\n"],
    [".", '{"totalCount":12345678901234567890,"results":[{"name":"a","tags":[1,2.50]},{"name":"b"},{"id":null}]}\n'],
    ["results[].none", ""],
    ["results[].name.none[].x", ""],
    ["results[].tags[7]", ""],
  ];
  for (const [query, stdout] of queries) {
    const outcome = await command(["/x", "-q", query], { fetch: server(() => list) });
    assert.deepEqual(outcome, { code: 0, stdout, stderr: "" }, query);
  }
  assert.equal((await command(["/x", "-q", "[].a"], { fetch: server(() => '[{"a":1},{"a":2}]') })).stdout, "1\n2\n");
  assert.equal((await command(["/x", "-q", "[0]"], { fetch: server(() => ' ["x"]') })).stdout, "x\n");
});

test("atlas-fetch --query prints a string as it is, but as JSON where it would break its line", async () => {
  const values: [json: string, line: string][] = [
    ['"a \\"b\\" \\u00e9 \u{1f511}"', 'a "b" é \u{1f511}'],
    ['"a\\nb"', '"a\\nb"'],
    ['"a\u007f\u009b"', '"a\\u007f\\u009b"'],
    ['"\\ud800"', '"\\ud800"'],
    ['""', ""],
    ['{"a":"\u009b", "b" : "}\\\\"}', '{"a":"\\u009b","b":"}\\\\"}'],
    ['{"\\u0061":{"a":1,"a":2}}', '{"\\u0061":{"a":1,"a":2}}'],
  ];
  for (const [json, line] of values) {
    const { stdout } = await command(["/x", "-q", "v"], { fetch: server(() => `{"v":${json}}`) });
    assert.equal(stdout, `${line}\n`);
  }
  // A name may be written in escapes, and of a repeated one the last counts.
  assert.equal((await command(["/x", "-q", "ab"], { fetch: server(() => '{"ab":1,"\\u0061b":2}') })).stdout, "2\n");
});

test("atlas-fetch --query fails with 1 for what is not there, and names what is", async () => {
  const queries: [query: string, stderr: string][] = [
    ["name", "Cannot find name in the answer: there is totalCount, results"],
    ["results.name", "Cannot find name in the answer: there is a list of 3"],
    ["results[3]", "Cannot find [3] in the answer: there is a list of 3"],
    ["[]", "Cannot find [] in the answer: there is totalCount, results"],
    ["totalCount.x", "Cannot find x in the answer: there is 12345678901234567890"],
    ["results[1].x", "Cannot find x in the answer: there is name"],
  ];
  for (const [query, stderr] of queries) {
    const outcome = await command(["/x", "-q", query], { fetch: server(() => list) });
    assert.deepEqual(outcome, { code: 1, stdout: "", stderr: `${stderr}\n` });
  }
  const page = await command(["/x", "-q", "a"], { fetch: server(() => "<html>") });
  assert.equal(page.stderr, "Cannot use -q: the answer is no JSON\n");
});

// A list of many pages ------------------------------------------------------------------------------------

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
