import { parseArgs } from "node:util";
import { EACH, parsePath, type Step } from "./query.ts";
import { failure } from "./system.ts";

export const VERSION = "0.1.0"; // of package.json

export const HELP = `\
Usage: atlas-fetch [options] PATH                e.g. atlas-fetch /groups
       atlas-fetch serve [--port N]; --help; --version
  -X, --method METHOD     GET, or POST with --data
  -d, --data JSON         the body; @FILE reads a file, @- standard input
  -H, --header 'N: V'     one more header; may be repeated
      --paginate          all pages of a list, as one JSON array
  -q, --query PATH        only these values, one a line: results[].name
      --wait PATH[=VALUE] ask until it is so: stateName=IDLE; 404: until gone
      --timeout TIME      give up after 90s, 30m or 2h
  -o, --output FILE       save the body, whole or not at all
      --format FORMAT     json, csv or gzip (a PATH ending in .gz means gzip)
      --api-version DATE  2025-03-12; 2024-08-05; preview
  -i, --include           print the status line and headers too
  -v, --verbose           tell each request on stderr
      --curl              print a curl command, keys as variables; send nothing
      --fake              ask a fake Atlas, without credentials
      --no-cache          keep no token of a service account on disk

Credentials: MONGODB_ATLAS_ACCESS_TOKEN, or MONGODB_ATLAS_CLIENT_ID and
MONGODB_ATLAS_CLIENT_SECRET, or MONGODB_ATLAS_PUBLIC_API_KEY and
MONGODB_ATLAS_PRIVATE_API_KEY. {groupId} and {orgId} in PATH are filled in from
MONGODB_ATLAS_PROJECT_ID and MONGODB_ATLAS_ORG_ID.
Exit: 0, 1 failed, 2 usage, 4 HTTP 4xx, 5 HTTP 5xx, 124 timeout, 130 Ctrl-C.
`;

const OPTIONS = {
  method: { type: "string", short: "X" },
  data: { type: "string", short: "d" },
  header: { type: "string", short: "H", multiple: true },
  paginate: { type: "boolean" },
  query: { type: "string", short: "q" },
  wait: { type: "string" },
  timeout: { type: "string" },
  output: { type: "string", short: "o" },
  format: { type: "string" },
  "api-version": { type: "string" },
  include: { type: "boolean", short: "i" },
  verbose: { type: "boolean", short: "v" },
  curl: { type: "boolean" },
  fake: { type: "boolean" },
  "no-cache": { type: "boolean" },
  port: { type: "string" },
  help: { type: "boolean", short: "h" },
  version: { type: "boolean" },
} as const;

const FORMATS = ["json", "csv", "gzip"] as const;
const LONGEST_TIME = 500 * 3_600_000; // ms; timers end at 596 h

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
export interface Options extends Omit<Given, "format" | "header" | "method" | "query" | "timeout" | "wait"> {
  path: string;
  method: string;
  headers: [name: string, value: string][];
  format: typeof FORMATS[number] | undefined;
  query: Step[] | undefined;
  /** Without a value: until it is any but null. */
  wait: { path: string; steps: Step[]; value: string | undefined } | undefined;
  /** In ms. */
  timeout: number | undefined;
}

/** Reads the command line. What it refuses it does not repeat: that may be a secret in the wrong place. */
export function parseOptions(args: readonly string[]): Options {
  assertKnown(args);
  const { values, positionals } = parseArgs({ args: [...args], options: OPTIONS, allowPositionals: true });
  const { format, header = [], method, query, timeout, wait, ...others } = values;
  const [path = ""] = positionals;
  const options: Options = {
    ...others,
    path,
    method: method?.toUpperCase() ?? (others.data === undefined ? "GET" : "POST"),
    headers: header.map(parseHeader),
    format: FORMATS.find((known) => known === (format ?? (/^[^?#]*\.gz($|[?#])/.test(path) ? "gzip" : "json"))),
    query: query === undefined ? undefined : parsePath(query, `-q ${query}`),
    wait: wait === undefined ? undefined : parseCondition(wait),
    timeout: timeout === undefined ? undefined : parseTime(timeout),
  };
  const fault = options.help || options.version ? undefined : faultIn(options, positionals, Object.keys(values));
  if (fault) throw failure(2, fault);
  return options;
}

function assertKnown(args: readonly string[]): void {
  const known: Record<string, { type: string; multiple?: boolean }> = OPTIONS;
  const given = new Set<string>();
  for (const token of parseArgs({ args: [...args], options: OPTIONS, strict: false, tokens: true }).tokens) {
    if (token.kind !== "option") continue;
    const { name, rawName, value, inlineValue } = token;
    const option = known[name];
    if (!option) throw failure(2, `There is no option ${rawName}: ${adviceFor(name)}`);
    const isMissing = !value || (!inlineValue && /^-./.test(value)); // it is the next option
    if (option.type === "string" && isMissing) throw failure(2, `${rawName} needs a value: see atlas-fetch --help`);
    if (option.type === "boolean" && value !== undefined) throw failure(2, `${rawName} takes no value`);
    if (given.has(name) && !option.multiple) throw failure(2, `${rawName} is given twice`);
    given.add(name);
  }
}

function adviceFor(name: string): string {
  const [nearest] = Object.keys(OPTIONS).sort((one, other) => likeness(other, name) - likeness(one, name));
  const guess = name.length > 1 ? `did you mean --${nearest}?` : "see atlas-fetch --help";
  return HABITS.get(name === "u" ? "user" : name) ?? guess;
}

/** Which part of the letters of two names they share. */
function likeness(one: string, other: string): number {
  let rest = one;
  for (const letter of other) rest = rest.replace(letter, "");
  return (one.length - rest.length) / (one.length + other.length);
}

/** An empty name is none. */
function parseHeader(header: string): [name: string, value: string] {
  const [, name = "", value = ""] = /^([^\s:]+):\s*(.*?)\s*$/.exec(header) ?? [];
  return [name, value];
}

function parseCondition(condition: string): Options["wait"] {
  const [path = "", ...value] = condition.split("=");
  return { path, steps: parsePath(path, "--wait"), value: value.length > 0 ? value.join("=") : undefined };
}

/** In ms; 0 for what is no time. */
function parseTime(time: string): number {
  const [, number = "", unit = ""] = /^(\d+(?:\.\d+)?)([smh])$/.exec(time) ?? [];
  return Number(number) * (unit === "s" ? 1000 : unit === "m" ? 60_000 : 3_600_000);
}

/** What cannot be meant. */
function faultIn(options: Options, paths: readonly string[], names: readonly string[]): string | undefined {
  const { path, method, headers, format, query, wait, timeout = 1, paginate, output = "", port = "0" } = options;
  const { "api-version": version = "preview" } = options;
  const isOfItems = typeof query?.[0] === "number" || query?.[0] === EACH;
  const faults: [isFault: unknown, message: string][] = [
    [!path, "Cannot ask: no PATH is given. Try atlas-fetch /groups, or atlas-fetch --help"],
    [paths.length > 1, "Cannot ask for two paths at once. Quote a PATH with blanks in it"],
    [/^[a-z]:[\\/]/i.test(path), "Git Bash made a file of Windows of the PATH: write it without its leading slash"],
    [options.port && path !== "serve", "--port is for atlas-fetch serve"],
    [path === "serve" && names.some((name) => name !== "port"), "atlas-fetch serve takes --port, and no other option"],
    [!/^\d{1,5}$/.test(port) || Number(port) > 65_535, "--port is a number up to 65535"],
    [headers.some(([name]) => !name), "Cannot read a header: write it as --header 'Name: value'"],
    [
      headers.some(([name]) => /^authorization$/i.test(name)),
      "Cannot send an Authorization header of your own: set MONGODB_ATLAS_ACCESS_TOKEN",
    ],
    [!format, "--format is json, csv or gzip"],
    [!/^(\d{4}-\d\d-\d\d(\.upcoming)?|preview)$/.test(version), "--api-version is a date, as 2025-03-12, or preview"],
    [timeout <= 0 || timeout > LONGEST_TIME, "--timeout is a time such as 90s, 30m or 2h, up to 500h"],
    [/[\\/]$/.test(output), "--output is a file, and not a folder"],
    [paginate && method !== "GET", "--paginate is for GET only"],
    [paginate && options.include, "--paginate has many answers, --include is for one: leave one of the two out"],
    [paginate && wait, "--paginate and --wait do not go together: make two commands of them"],
    [paginate && query && !isOfItems, "With --paginate the array of all items is the root: try -q '[].id'"],
    [wait && method !== "GET", "--wait asks by GET: send the other call first, by a command of its own"],
    [wait?.steps.includes(EACH), "--wait is for one value: write [N] in place of []"],
    [(paginate || query || wait) && format !== "json", "--paginate, --query and --wait are for JSON only"],
    [options.curl && options.fake, "curl does not reach the fake of --fake: start atlas-fetch serve for it"],
  ];
  return faults.find(([isFault]) => isFault)?.[1];
}
