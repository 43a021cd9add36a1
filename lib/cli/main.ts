import { readFile } from "node:fs/promises";
import { text } from "node:stream/consumers";
import { atlasError } from "../atlas_error.ts";
import { memberOf, textOf } from "../json.ts";
import { fakeAtlas, fillIn, realAtlas } from "./atlas.ts";
import { createClient, type Run } from "./client.ts";
import { curlCommand } from "./curl.ts";
import { asFailure } from "./failures.ts";
import { isJson, visible } from "./json_text.ts";
import { HELP, type Options, parseOptions, VERSION } from "./options.ts";
import { copyBody, fileOutput, type Output, standardOutput } from "./output.ts";
import { writePages } from "./pages.ts";
import { linesOf } from "./query.ts";
import { createReport, type Report } from "./report.ts";
import { serve } from "./serve.ts";
import { failure, type System } from "./system.ts";
import { waitFor } from "./wait.ts";

/** Runs the command, and gives its exit code. */
export async function main(system: System): Promise<number> {
  const report = createReport(system);
  const stdout = standardOutput(system, report);
  try {
    const options = parseOptions(system.args);
    if (options.help) await stdout.write(HELP);
    else if (options.version) await stdout.write(`${VERSION}\n`);
    else if (options.path === "serve") await serve(Number(options.port ?? 0), system, report);
    else await call(options, system, stdout, report);
    return 0;
  } catch (error) {
    const exitCode = Number(memberOf(error, "exitCode") ?? 1);
    if (exitCode > 0) await report.line([textOf(error, "message"), report.reached].filter(Boolean).join(". "));
    return exitCode;
  } finally {
    report.stop();
  }
}

/** Makes the call, until it takes too long or is interrupted, whatever it waits for then. */
async function call(options: Options, system: System, stdout: Output, report: Report): Promise<void> {
  const late = new AbortController();
  const { timeout } = options;
  const timer = timeout && setTimeout(() => late.abort(failure(124, `Gave up after ${timeout / 1000} s`)), timeout);
  const signal = AbortSignal.any([system.signal, late.signal]);
  const ended = new Promise<never>((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
  const run: Run = { options, system, report, signal, output: stdout, requests: 0, host: "" };
  try {
    await Promise.race([options.curl ? printCurl(run) : perform(run, stdout), ended]);
    await run.output.commit();
  } catch (error) {
    await run.output.discard();
    if (options.wait && !signal.aborted) report.reached = ""; // it ended by something else
    throw signal.aborted ? signal.reason : asFailure(error, run);
  } finally {
    clearTimeout(timer);
  }
}

async function perform(run: Run, stdout: Output): Promise<void> {
  const { options, system, report } = run;
  const body = await readData(options, system);
  const atlas = options.fake ? await fakeAtlas() : realAtlas(system, !options["no-cache"]);
  const path = fillIn(options.path, atlas.idOf);
  const client = createClient(run, atlas, body);
  const file = options.output === "-" ? undefined : options.output;
  if (!file && stdout.isTerminal && options.format === "gzip") {
    throw failure(2, "Cannot show gzip on a terminal: save it by --output FILE");
  }
  if (file) run.output = await fileOutput(file, report);
  if (options.paginate) return await writePages(run, client, path);
  const response = options.wait ? await waitFor(run, options.wait, () => client(path)) : await client(path);
  if (response) await writeAnswer(run, response, stdout);
}

/** A refusal goes to stderr and, with --include, all that there is of it to stdout. */
async function writeAnswer({ options, output, report }: Run, response: Response, stdout: Output): Promise<void> {
  const { ok, status, statusText, headers } = response;
  if (options.include) {
    const lines = [
      `HTTP/1.1 ${status} ${statusText}`.trimEnd(),
      ...[...headers].map((header) => header.join(": ")),
      "",
      "",
    ];
    await stdout.write(stdout.isTerminal ? visible(lines.join("\n")) : lines.join("\n"));
    if (!ok) await copyBody(response.clone(), stdout, report);
  }
  if (!ok) throw await atlasError(response);
  if (options.query) await output.write(linesOf(await response.text(), options.query));
  else await copyBody(response, output, report);
}

/** The body to be sent, which is JSON. */
async function readData({ data }: Options, { stdin }: System): Promise<string | undefined> {
  if (!data?.startsWith("@")) {
    if (data === undefined || isJson(data)) return data;
    throw failure(2, "Cannot send --data: it is no JSON. If a shell has eaten its quotes, use a file: --data @FILE");
  }
  const file = data.slice(1);
  const json = await (file === "-" ? text(stdin) : readFile(file, "utf8")).catch((error: unknown) => {
    throw failure(2, `Cannot read ${file}: ${textOf(error, "message")}`);
  });
  if (!isJson(json)) throw failure(2, `Cannot send ${file === "-" ? "standard input" : file}: it is no JSON`);
  return json;
}

async function printCurl(run: Run): Promise<void> {
  const { output, report } = run;
  const { data, paginate, query, wait } = run.options;
  if (!data?.startsWith("@")) await readData(run.options, run.system); // a file is for curl to read
  await output.write(await curlCommand(run));
  const missed = [paginate && "--paginate", query && "--query", wait && "--wait"].filter(Boolean);
  if (missed.length > 0) {
    await report.line(`curl has nothing like ${missed.join(", ")}: this asks once, for all there is`);
  }
  if (data === "@-") await report.line("Standard input is taken: save the body, and name its file in place of FILE");
}
