import { parseArgs } from "node:util";
import { memberOf, textOf } from "../json.ts";
import { EACH, isJson, parsePath } from "./json_text.ts";
import { failure } from "./system.ts";

export const VERSION = "0.1.0"; // of package.json

const OPTIONS = {
  method: { type: "string", short: "X", value: "METHOD", help: "GET, or POST with --data" },
  data: { type: "string", short: "d", value: "JSON", help: "the body; @FILE reads a file, @- standard input" },
  header: { type: "string", short: "H", value: "'N: V'", help: "one more header; may be repeated", multiple: true },
  paginate: { type: "boolean", help: "all pages of a list, as one JSON array" },
  query: { type: "string", short: "q", value: "PATH", help: "only these values, one a line: results[].name" },
  wait: { type: "string", value: "PATH[=VALUE]", help: "ask until it is so: stateName=IDLE; 404: until gone" },
  timeout: { type: "string", value: "TIME", help: "give up after 90s, 30m or 2h" },
  output: { type: "string", short: "o", value: "FILE", help: "save the body, whole or not at all" },
  format: { type: "string", value: "FORMAT", help: "json, csv or gzip (a PATH ending in .gz means gzip)" },
  "api-version": { type: "string", value: "DATE", help: "2025-03-12; 2024-08-05; preview" },
  include: { type: "boolean", short: "i", help: "print the status line and headers too" },
  verbose: { type: "boolean", short: "v", help: "tell each request on stderr" },
  curl: { type: "boolean", help: "print a curl command, keys as variables; send nothing" },
  fake: { type: "boolean", help: "ask a fake Atlas, without credentials" },
  "no-cache": { type: "boolean", help: "keep no token of a service account on disk" },
  port: { type: "string" },
  help: { type: "boolean", short: "h" },
  version: { type: "boolean" },
} as const;

/** The line of an option: `  -d, --data JSON         the body`. */
function helpOf([name, option]: [string, object]): string {
  const [short, value, help] = ["short", "value", "help"].map((part) => textOf(option, part));
  const start = `  ${short ? `-${short},` : "   "} --${name} ${value}`;
  return help ? `${start.padEnd(25)} ${help}\n` : "";
}

export const HELP: string = `\
Usage: atlas-fetch [options] PATH                e.g. atlas-fetch /groups
       atlas-fetch serve [--port N]; --help; --version
${Object.entries(OPTIONS).map(helpOf).join("")}
Credentials: MONGODB_ATLAS_ACCESS_TOKEN, or MONGODB_ATLAS_CLIENT_ID and
MONGODB_ATLAS_CLIENT_SECRET, or MONGODB_ATLAS_PUBLIC_API_KEY and
MONGODB_ATLAS_PRIVATE_API_KEY. {groupId} and {orgId} in PATH are filled in from
MONGODB_ATLAS_PROJECT_ID and MONGODB_ATLAS_ORG_ID.
Exit: 0, 1 failed, 2 usage, 4 HTTP 4xx, 5 HTTP 5xx, 124 timeout, 130 Ctrl-C.
`;

const FORMATS = ["json", "csv", "gzip"] as const;
const API_VERSION = /^(\d{4}-\d\d-\d\d(\.upcoming)?|preview)$/;
const UNITS = { s: 1000, m: 60_000, h: 3_600_000 }; // ms
const MAX_TIME = 500 * UNITS.h; // timers end at 596 h

/** What other commands call it. */
const HABITS = new Map([
  ["request", "use --method, -X"],
  ["input", "use --data @FILE, or --data @- for standard input"],
  ["json", "use --data, -d"],
  ["jq", "use --query, -q, or pipe into jq"],
  ["user", "all can see keys on a command line. Set MONGODB_ATLAS_PUBLIC_API_KEY and MONGODB_ATLAS_PRIVATE_API_KEY"],
]);

type Given = ReturnType<typeof parseArgs<{ options: typeof OPTIONS }>>["values"];

/** What is asked for, as far as that can be told without the environment. */
export interface Options extends Omit<Given, "format" | "output"> {
  path: string;
  method: string;
  headers: [name: string, value: string][];
  format: typeof FORMATS[number] | undefined;
  output: string | undefined; // a file
  steps: string[]; // of --query
  condition: { path: string; steps: string[]; value: string | undefined }; // of --wait; without a value any but null
  maxTime: number; // of --timeout, in ms; 0 for what is no time
}

/** Reads the command line. What it refuses it does not repeat: that may be a secret in the wrong place. */
export function parseOptions(args: readonly string[]): Options {
  assertKnown(args);
  const { values, positionals } = parseArgs({ args: [...args], options: OPTIONS, allowPositionals: true });
  const [path = ""] = positionals;
  const isGzip = /^[^?#]*\.gz($|[?#])/.test(path);
  const { data, header = [], query = ".", wait = ".", timeout = "", format = isGzip ? "gzip" : "json" } = values;
  const { method = data === undefined ? "GET" : "POST" } = values;
  const [awaited = ""] = wait.split("=");
  const options: Options = {
    ...values,
    path,
    method: method.toUpperCase(),
    headers: header.map(parseHeader),
    format: FORMATS.find((known) => known === format),
    output: values.output === "-" ? undefined : values.output,
    steps: parsePath(query, `-q ${query}`),
    condition: { path: awaited, steps: parsePath(awaited, "--wait"), value: /=(.*)/s.exec(wait)?.[1] },
    maxTime: parseTime(timeout),
  };
  const fault = options.help || options.version ? undefined : faultIn(options, positionals, Object.keys(values));
  if (fault) throw failure(2, fault);
  return options;
}

function assertKnown(args: readonly string[]): void {
  for (const token of parseArgs({ args: [...args], options: OPTIONS, strict: false, tokens: true }).tokens) {
    if (token.kind !== "option") continue;
    const { name, rawName, value, inlineValue } = token;
    const type = textOf(memberOf(OPTIONS, name), "type");
    const isMissing = !value || (!inlineValue && /^-./.test(value)); // it is the next option
    if (!type) throw failure(2, `There is no option ${rawName}: ${adviceFor(name)}`);
    if (type === "string" && isMissing) throw failure(2, `${rawName} needs a value: see atlas-fetch --help`);
    if (type === "boolean" && value !== undefined) throw failure(2, `${rawName} takes no value`);
  }
}

function adviceFor(name: string): string {
  const shared = (option: string) => [...name].filter((letter) => option.includes(letter)).length;
  const likeness = (option: string) => shared(option) / (option.length + name.length);
  const [nearest] = Object.keys(OPTIONS).sort((one, other) => likeness(other) - likeness(one));
  const guess = name.length > 1 ? `did you mean --${nearest}?` : "see atlas-fetch --help";
  return HABITS.get(name === "u" ? "user" : name) ?? guess;
}

/** An empty name is none. */
function parseHeader(header: string): [name: string, value: string] {
  const [, name = "", value = ""] = /^([^:]+):(.*)$/s.exec(header) ?? [];
  return [name, value];
}

function parseTime(time: string): number {
  const [, number = "", unit = "s"] = /^(\d+(?:\.\d+)?)([smh])$/.exec(time) ?? [];
  return Number(number) * Number(memberOf(UNITS, unit));
}

/** What cannot be meant. */
function faultIn(options: Options, paths: readonly string[], names: readonly string[]): string | undefined {
  const { path, method, data, query, steps, wait, condition, timeout, maxTime, paginate, curl, output, port } = options;
  const { "api-version": version } = options;
  const isNoJson = data && !data.startsWith("@") && !isJson(data);
  const isOfItems = steps[0]?.startsWith("[");
  const wantsJson = paginate || query || wait;
  const faults: [isFault: unknown, message: string][] = [
    [!path, "Cannot ask: no PATH is given. Try atlas-fetch /groups, or atlas-fetch --help"],
    [paths.length > 1, "Cannot ask for two paths at once. Quote a PATH with blanks in it"],
    [/^[a-z]:[\\/]/i.test(path), "Git Bash made a file of Windows of the PATH: write it without its leading slash"],
    [port && path !== "serve", "--port is for atlas-fetch serve"],
    [path === "serve" && names.some((name) => name !== "port"), "atlas-fetch serve takes --port, and no other option"],
    [port && !(/^\d+$/.test(port) && Number(port) < 65_536), "--port is a number up to 65535"],
    [isNoJson, "Cannot send --data: it is no JSON. If a shell has eaten its quotes, use a file: --data @FILE"],
    [!options.format, "--format is json, csv or gzip"],
    [version && !API_VERSION.test(version), "--api-version is a date, as 2025-03-12, or preview"],
    [timeout && (!maxTime || maxTime > MAX_TIME), "--timeout is a time such as 90s, 30m or 2h, up to 500h"],
    [output && /[\\/]$/.test(output), "--output is a file, and not a folder"],
    [paginate && method !== "GET", "--paginate is for GET only"],
    [paginate && options.include, "--paginate has many answers, --include is for one: leave one of the two out"],
    [paginate && wait, "--paginate and --wait do not go together: make two commands of them"],
    [paginate && query && !isOfItems, "With --paginate the array of all items is the root: try -q '[].id'"],
    [wait && method !== "GET", "--wait asks by GET: send the other call first, by a command of its own"],
    [condition.steps.includes(EACH), "--wait is for one value: write [N] in place of []"],
    [wantsJson && options.format !== "json", "--paginate, --query and --wait are for JSON only"],
    [curl && options.fake, "curl does not reach the fake of --fake: start atlas-fetch serve for it"],
  ];
  return faults.find(([isFault]) => isFault)?.[1];
}
