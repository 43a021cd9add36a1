import { readFile } from "node:fs/promises";
import { text } from "node:stream/consumers";
import { atlasError } from "../atlas_error.ts";
import { unlessAborted } from "../digest/call.ts";
import { memberOf, textOf } from "../json.ts";
import { fillIn, withFake } from "./atlas.ts";
import { asFailure, createClient, type Run } from "./client.ts";
import { isJson, linesOf, visible } from "./json_text.ts";
import { HELP, type Options, parseOptions, VERSION } from "./options.ts";
import { copyBody, createScreen, type Output, save, type Screen } from "./output.ts";
import { waitFor, writePages } from "./repeat.ts";
import { printCurl, serve } from "./shell.ts";
import { failure, type System } from "./system.ts";

/** Runs the command, and gives its exit code. */
export async function main(system: System): Promise<number> {
  const screen = createScreen(system);
  try {
    const options = parseOptions(system.args);
    if (options.help) await screen.write(HELP);
    else if (options.version) await screen.write(`${VERSION}\n`);
    else if (options.path === "serve") await serve(Number(options.port ?? 0), system, screen);
    else await call(options, system, screen);
    return 0;
  } catch (error) {
    const exitCode = Number(memberOf(error, "exitCode") ?? 1);
    if (exitCode > 0) await screen.tell([textOf(error, "message"), screen.reached].filter(Boolean).join(". "));
    return exitCode;
  } finally {
    screen.stop();
  }
}

/** Makes the call, until it takes too long or is interrupted, whatever it waits for then. */
async function call(options: Options, system: System, screen: Screen): Promise<void> {
  const { maxTime, curl, output, wait } = options;
  const late = new AbortController();
  const machine = options.fake ? await withFake(system) : system;
  const timer = maxTime && setTimeout(() => late.abort(failure(124, `Gave up after ${maxTime / 1000} s`)), maxTime);
  const signal = AbortSignal.any([system.signal, late.signal]);
  const mayKeep = machine.mayKeep && !options["no-cache"];
  const run: Run = { ...machine, mayKeep, signal, options, screen, host: "" };
  const work = (output: Output) => unlessAborted(curl ? printCurl(run) : perform(run, output), signal);
  try {
    await (output && !curl ? save(output, run, work) : work(screen));
  } catch (error) {
    if (wait && !signal.aborted) screen.reached = ""; // it ended by something else
    throw signal.aborted ? signal.reason : asFailure(error, run);
  } finally {
    clearTimeout(timer);
  }
}

async function perform(run: Run, output: Output): Promise<void> {
  const { path, format, paginate, wait } = run.options;
  const client = createClient(run, await readData(run));
  const place = fillIn(path, run.env);
  const isUnfit = format === "gzip" && output.isTerminal;
  if (isUnfit) throw failure(2, "Cannot show gzip on a terminal: save it by --output FILE");
  if (paginate) return await writePages(run, output, client, place);
  const response = await (wait ? waitFor(run, client, place) : client(place));
  if (response) await writeAnswer(run, response, output);
}

/** The body to be sent. */
async function readData({ options: { data }, stdin }: Run): Promise<string | null> {
  if (!data?.startsWith("@")) return data ?? null;
  const file = data.slice(1);
  const json = await (file === "-" ? text(stdin()) : readFile(file, "utf8")).catch((error: unknown) => {
    throw failure(2, `Cannot read ${file}: ${textOf(error, "message")}`);
  });
  if (isJson(json)) return json;
  throw failure(2, `Cannot send ${file === "-" ? "standard input" : file}: it is no JSON`);
}

/** A refusal goes to stderr and, with --include, all that there is of it to stdout. */
async function writeAnswer({ options, screen }: Run, response: Response, output: Output): Promise<void> {
  const { ok, status, statusText, headers } = response;
  if (options.include) {
    const lines = [`HTTP/1.1 ${status} ${statusText}`.trimEnd(), ...Array.from(headers, (header) => header.join(": "))];
    const head = `${lines.join("\n")}\n\n`;
    await screen.write(screen.isTerminal ? visible(head) : head);
    if (!ok) await copyBody(response.clone(), screen, screen);
  }
  if (!ok) throw await atlasError(response);
  if (options.query) await output.write(linesOf(await response.text(), options.steps));
  else await copyBody(response, output, screen);
}
