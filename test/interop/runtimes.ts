/**
 * Runs the tests on every runtime, from the TypeScript source, and ends with one table:
 * `npm run test:runtimes [part of a file's name ...]`. It fails if a test does, or is skipped without a printed reason.
 */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { path } from "./programs.ts";

interface Runtime {
  name: string;
  program: string;
  /** The arguments that run the files and write a JUnit report. */
  args(report: string, files: readonly string[]): string[];
}

interface Row {
  name: string;
  version: string;
  passed: number;
  failed: number;
  /** The reasons, one a skipped test. */
  skipped: string[];
}

/** They judge what is built, start the runtimes themselves, or take long: `npm run interop` runs them, once. */
const RUN_ONCE = [
  "cli_programs_test.ts",
  "cli_terminal_test.ts",
  "deno_environment_test.ts",
  "environments_test.ts",
  "failed_workers_test.ts",
  "fake_shapes_test.ts",
  "many_calls_test.ts",
  "packaging_test.ts",
  "proxy_test.ts",
  "restricted_test.ts",
  "typed_test.ts",
  "vendor_test.ts",
  "workers_test.ts",
];
const UNEXPLAINED = "without a printed reason";

const root = fileURLToPath(new URL("../..", import.meta.url));
const modules = "test/interop/node_modules";

const node = (name: string, major: number, ...options: string[]): Runtime => ({
  name,
  program: `${modules}/node${major}/bin/node`,
  args: (report, files) => [
    ...options,
    "--test",
    "--test-concurrency=2",
    "--test-reporter=junit",
    `--test-reporter-destination=${report}`,
    "--test-reporter=dot",
    "--test-reporter-destination=stdout",
    ...files,
  ],
});

const runtimes: Runtime[] = [
  node("Node 20, by tsx", 20, "--import", "tsx"),
  node("Node 22", 22),
  node("Node 24", 24),
  node("Node 26", 26),
  {
    name: "Deno",
    program: `${modules}/deno/deno`,
    args: (
      report,
      files,
    ) => ["test", "-A", "--no-check", `--junit-path=${report}`, ...files],
  },
  {
    name: "Bun",
    program: `${modules}/.bin/bun`,
    args: (report, files) => [
      "test",
      "--timeout=120000", // its own is 5 s
      "--reporter=junit",
      `--reporter-outfile=${report}`,
      ...files.map((file) => `./${file}`), // else they are filters
    ],
  },
];

/** Of our own environment only what programs need to start: no proxy, no credentials. */
function environment(): Record<string, string> {
  const { HOME = "/", CI } = process.env;
  return {
    PATH: path,
    HOME,
    LANG: "C.UTF-8",
    DENO_NO_UPDATE_CHECK: "1",
    ...(CI !== undefined && { CI }),
  };
}

async function run(
  program: string,
  args: readonly string[],
): Promise<{ code: number; output: string }> {
  const child = spawn(program, [...args], {
    cwd: root,
    env: environment(),
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.on("data", (bytes: Uint8Array) => output += bytes);
  }
  const [code] = await once(child, "close");
  return { code: typeof code === "number" ? code : 1, output };
}

async function findFiles(filters: readonly string[]): Promise<string[]> {
  const names = await Promise.all(
    ["test", "test/faults", "test/interop"].map(async (folder) => {
      const entries = await readdir(join(root, folder));
      return entries.sort().map((entry) => `${folder}/${entry}`);
    }),
  );
  return names.flat().filter((file) =>
    file.endsWith("_test.ts") && !RUN_ONCE.some((name) => file.endsWith(`/${name}`)) &&
    (filters.length === 0 || filters.some((filter) => file.includes(filter)))
  );
}

/** The reasons that tests printed as `Skipped: title: reason`: the reports of Deno and Bun have none. */
function printedReason(output: string, title: string): string | undefined {
  const start = `Skipped: ${title}: `;
  return output.split("\n").find((line) => line.startsWith(start))?.slice(
    start.length,
  );
}

/** The reason that a test gives to `t.skip`, of which Bun's report has nothing. */
function reasonInSource(sources: string, title: string): string | undefined {
  const [, body = ""] = sources.split(JSON.stringify(title));
  return /\bt\.skip\("([^"]*)"\)/.exec(body.split(/^test\(/m)[0] ?? "")?.[1];
}

function unescapeXml(text: string): string {
  const names: Record<string, string> = {
    lt: "<",
    gt: ">",
    quot: '"',
    apos: "'",
    amp: "&",
  };
  const once = (text: string) =>
    text.replace(/&(?:(\w+)|#(\d+));/g, (all, name = "", code = "") => {
      return code ? String.fromCodePoint(Number(code)) : names[name] ?? all;
    });
  return once(once(text)); // Node escapes quotes twice
}

function readReport(report: string, output: string, sources: string): Pick<Row, "passed" | "failed" | "skipped"> {
  const row = { passed: 0, failed: 0, skipped: new Array<string>() };
  for (
    const [, name = "", body = ""] of report.matchAll(
      /<testcase name="([^"]*)"[^>]*?(?:\/>|>(.*?)<\/testcase>)/gs,
    )
  ) {
    const [isSkipped, reason] = /<skipped(?:[^>]*message="([^"]*)")?/.exec(body) ?? [];
    if (body.includes("<failure") || body.includes("<error")) row.failed++;
    else if (!isSkipped) row.passed++;
    else {
      const title = unescapeXml(name);
      const known = printedReason(output, title) ?? reasonInSource(sources, title) ?? UNEXPLAINED;
      row.skipped.push(unescapeXml(reason ?? "") || known);
    }
  }
  return row;
}

async function test(
  { name, program, args }: Runtime,
  files: readonly string[],
  folder: string,
): Promise<Row> {
  const row: Row = { name, version: "", passed: 0, failed: 0, skipped: [] };
  if (!existsSync(join(root, program))) {
    // Elsewhere it may be missing: the packages of Node bring Linux's.
    const reason = "not installed: run npm ci in test/interop";
    return process.env.CI === "true" ? { ...row, failed: 1, version: reason } : { ...row, skipped: [reason] };
  }
  const version = (await run(program, ["--version"])).output.match(/\d+\.\d+\.\d+/)?.[0] ??
    "";
  const report = join(folder, `${name}.xml`);
  const sources = await Promise.all(files.map((file) => readFile(join(root, file), "utf8")));
  const { code, output } = await run(program, args(report, files));
  const counts = readReport(existsSync(report) ? await readFile(report, "utf8") : "", output, sources.join("\n"));
  if (code !== 0) {
    console.log(`\n${name}:\n${output}`);
    counts.failed ||= 1; // it ended before it could report
  }
  return { name, version, ...counts };
}

function print(rows: readonly Row[]): void {
  const head = ["Runtime", "Version", "Passed", "Failed", "Skipped"];
  const table = [
    head,
    head.map((title) => "-".repeat(title.length)),
    ...rows.map(({ name, version, passed, failed, skipped }) => {
      const reasons = [...new Set(skipped)].map((reason) => {
        return `${skipped.filter((other) => other === reason).length} ${reason}`;
      });
      return [
        name,
        version,
        `${passed}`,
        `${failed}`,
        [skipped.length, reasons.join("; ")].filter(Boolean).join(": "),
      ];
    }),
  ];
  const widths = head.map((_, column) => Math.max(...table.map((cells) => cells[column]?.length ?? 0)));
  console.log();
  for (const cells of table) {
    console.log(
      cells.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join("  ")
        .trim(),
    );
  }
}

const files = await findFiles(process.argv.slice(2));
console.log(`${files.length} files: ${files.join(" ")}`);
const folder = await mkdtemp(join(tmpdir(), "atlas-fetch-runtimes-"));
const rows: Row[] = [];
try {
  for (const runtime of runtimes) {
    console.log(`${runtime.name} ...`);
    rows.push(await test(runtime, files, folder));
  }
} finally {
  await rm(folder, { recursive: true, force: true });
}
print(rows);

const sum = (count: (row: Row) => number) => rows.reduce((total, row) => total + count(row), 0);
const failed = sum((row) => row.failed);
console.log(
  `\n${sum((row) => row.passed)} passed, ${failed} failed, ${sum((row) => row.skipped.length)} skipped`,
);
if (failed > 0 || rows.some(({ skipped }) => skipped.includes(UNEXPLAINED))) {
  process.exitCode = 1;
}
