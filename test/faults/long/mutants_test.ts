// Deliberate faults in a copy of the library, each of which must be found by a test.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { table, writeSection } from "./report.ts";

interface Mutant {
  /** What a user would suffer. */
  fault: string;
  file: string;
  /** What stands there once, and what is put in its place. */
  edits: [from: string, to: string][];
  /** The file of tests that finds it. */
  tests: string;
}

const DIGEST = "lib/digest/digest_fetch.ts";
const CALL = "lib/digest/call.ts";
const REDIRECT = "lib/digest/redirect.ts";

const MUTANTS: Mutant[] = [
  {
    fault: "A count is used twice",
    file: DIGEST,
    edits: [["count: ++used.count", "count: used.count++ || 1"]],
    tests: "hostile_challenges_test.ts",
  },
  {
    fault: "All opaques of a nonce share one count",
    file: DIGEST,
    edits: [["JSON.stringify([challenge.nonce, challenge.opaque])", "JSON.stringify([challenge.nonce])"]],
    tests: "hostile_challenges_test.ts",
  },
  {
    fault: "A POST is repeated by Digest after a lost connection",
    file: DIGEST,
    edits: [["const mayRepeat = isGetOrHead(method) && ", "const mayRepeat = "]],
    tests: "broken_network_test.ts",
  },
  {
    fault: "A POST is retried after a lost connection",
    file: "lib/retry_fetch.ts",
    edits: [['failure === "lost" && call.isSent && !isGetOrHead(method)', "false"]],
    tests: "broken_network_test.ts",
  },
  {
    fault: "A POST is retried after a 503",
    file: "lib/retry_fetch.ts",
    edits: [["isGetOrHead(method) || (status === 429 && !redirected)", "status >= 429"]],
    tests: "hostile_answers_test.ts",
  },
  {
    fault: "A foreign origin is signed for",
    file: REDIRECT,
    edits: [["if (call.url.origin !== first.url.origin) sendNext = sendUnsigned;", ""]],
    tests: "hostile_challenges_test.ts",
  },
  {
    fault: "A cookie goes to a foreign origin",
    file: REDIRECT,
    edits: [["authorization|cookie|host", "authorization|host"]],
    tests: "hostile_challenges_test.ts",
  },
  {
    fault: "Sixty requests are sent for one URL",
    file: DIGEST,
    edits: [["const MAX_REQUESTS = 6;", "const MAX_REQUESTS = 60;"]],
    tests: "hostile_challenges_test.ts",
  },
  {
    fault: "Two hundred redirects are followed",
    file: REDIRECT,
    edits: [["const MAX_REDIRECTS = 20;", "const MAX_REDIRECTS = 200;"]],
    tests: "hostile_challenges_test.ts",
  },
  {
    fault: "A stream is sent twice",
    file: DIGEST,
    edits: [["isNonceAtFault && !isStream(body)", "isNonceAtFault"]],
    tests: "hostile_challenges_test.ts",
  },
  {
    fault: "The weakest hash is answered",
    file: "lib/digest/challenge.ts",
    edits: [['return withHash("SHA-512-256") ?? ', "return "]],
    tests: "hostile_challenges_test.ts",
  },
  {
    fault: "A body that nobody wants is read for ever",
    file: CALL,
    edits: [["const MAX_LENGTH = 64 * 1024;", "const MAX_LENGTH = Infinity;"]],
    tests: "hostile_challenges_test.ts",
  },
  {
    fault: "The next link leads to another host",
    file: "lib/paginate.ts",
    edits: [
      ["await fetch(`${base}?${query}`, init)", "await fetch(asked.size > 1 ? query : `${base}?${query}`, init)"],
      ["query = new URL(href, ANY_URL).search.slice(1);", "query = href;"],
    ],
    tests: "hostile_answers_test.ts",
  },
  {
    fault: "A Retry-After of years is waited for",
    file: "lib/retry_fetch.ts",
    edits: [["asked > maxDelay ? undefined : ", ""]],
    tests: "hostile_answers_test.ts",
  },
  {
    fault: "A refused token is minted anew again and again",
    file: "lib/bearer_fetch.ts",
    edits: [["    return await send(call);\n  };", "    return await sendBearer(call);\n  };"]],
    tests: "hostile_answers_test.ts",
  },
  {
    fault: "A token is shown in an error",
    file: "lib/bearer_fetch.ts",
    edits: [['it is empty or no header can hold it"', 'no header can hold " + token']],
    tests: "secrets_test.ts",
  },
  {
    fault: "A client secret is shown in an error",
    file: "lib/token_source.ts",
    edits: [["${tokenUrl.host} did not answer`", "${clientSecret} did not answer`"]],
    tests: "broken_network_test.ts",
  },
  {
    fault: "An error quotes the request that a server repeats in place of an answer",
    file: CALL,
    edits: [["      hideExchange(error);\n", ""]],
    tests: "secrets_test.ts",
  },
  {
    fault: "An error quotes the Authorization that a server repeats",
    file: "lib/atlas_error.ts",
    edits: [["/\\S{16}|=/.test(", "/\\S{999}/.test("]],
    tests: "secrets_test.ts",
  },
  {
    fault: "A store's error is thrown as it is",
    file: "lib/token_source.ts",
    edits: [["  } catch {\n    return undefined;\n  } finally {", "  } finally {"]],
    tests: "secrets_test.ts",
  },
  {
    fault: "An abort does not end the wait before a retry",
    file: "lib/retry_fetch.ts",
    edits: [["await pause(delay, signal)", "await pause(delay, null)"]],
    tests: "cancellation_test.ts",
  },
  {
    fault: "An aborted call rejects with something else than the reason",
    file: CALL,
    edits: [["      throwIfAborted(call.signal);\n      hideExchange", "      hideExchange"]],
    tests: "cancellation_test.ts",
  },
  {
    fault: "A stream stays open when its call is aborted",
    file: CALL,
    edits: [["      if (call.signal?.aborted) cancel(body);\n", ""]],
    tests: "cancellation_test.ts",
  },
  {
    fault: "A listener stays on the signal",
    file: CALL,
    edits: [['.finally(() => signal.removeEventListener("abort", abort))', ""]],
    tests: "cancellation_test.ts",
  },
];

const root = fileURLToPath(new URL("../../../", import.meta.url));
const found: [string, string][] = [];
let folder = "";

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "atlas-fetch-mutants-"));
  for (const part of ["lib", "mod.ts", "package.json", "test/serving.ts", "test/interop/front.ts"]) {
    await cp(join(root, part), join(folder, part), { recursive: true });
  }
  const isShort = (path: string) => !/faults[\\/]long/.test(path);
  await cp(join(root, "test/faults"), join(folder, "test/faults"), { recursive: true, filter: isShort });
});

after(() => rm(folder, { recursive: true }));

/** The names of the tests of a file that fail in the copy, and how many there are. Bundled, it starts faster than by tsx. */
async function failuresOf(file: string): Promise<{ failed: string[]; count: number }> {
  const outfile = join(folder, `${file}.mjs`);
  await build({
    entryPoints: [join(folder, "test/faults", file)],
    bundle: true,
    platform: "node",
    format: "esm",
    outfile,
    logLevel: "error",
  });
  const { NODE_TEST_CONTEXT: _, ...env } = process.env; // else it would report to the runner of this test
  const args = ["--test-reporter=tap", outfile];
  const child = spawn(process.execPath, args, { env, stdio: ["ignore", "pipe", "inherit"], timeout: 60_000 });
  const output = await text(child.stdout);
  const failed = [...output.matchAll(/^not ok \d+ - (.*)$/gm)].map(([, name = ""]) => name.replace(/\\#/g, "#"));
  return { failed, count: Number(/^# tests (\d+)$/m.exec(output)?.[1] ?? 0) };
}

const files = [...new Set(MUTANTS.map(({ tests }) => tests))];

test("The tests that are to find mutants pass in a copy of the library as it is", async () => {
  for (const file of files) {
    const { failed, count } = await failuresOf(file);
    assert.deepEqual(failed, [], file);
    assert.ok(count > 10, `${file} has run ${count} tests`);
  }
});

for (const { fault, file, edits, tests } of MUTANTS) {
  test(`A test finds the mutant: ${fault}`, async () => {
    const path = join(folder, file);
    const source = await readFile(path, "utf8");
    let mutant = source;
    for (const [from, to] of edits) {
      assert.equal(mutant.split(from).length, 2, `${file} is now written in another way than: ${from}`);
      mutant = mutant.replace(from, () => to);
    }
    await writeFile(path, mutant);
    try {
      const { failed: [first], count } = await failuresOf(tests);
      assert.ok(first !== undefined && count > 10, `It lives on: no test of ${tests} fails`);
      found.push([fault, first]);
    } finally {
      await writeFile(path, source);
    }
  });
}

test("Each mutant was found", () => {
  assert.equal(found.length, MUTANTS.length);
  writeSection(
    "Mutants",
    [
      "Each of these faults was put into a copy of the library, and found by a test of the short part.",
      table(["fault", "the first test that fails"], found),
    ].join("\n\n"),
  );
});
