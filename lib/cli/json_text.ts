/** JSON as text: no number that is printed was ever parsed, so that those beyond 2^53 come through whole. */
import { inOneLine } from "../atlas_error.ts";
import { parseJson } from "../json.ts";
import { failure } from "./system.ts";

// A string ends at a quote behind an even number of backslashes. Not to track back, it takes as little as it can.
const TOKEN = /"[^]*?(?<!\\)(?:\\\\)*"|\{\}|\[\]|[{}[\],:]|[^\s"{}[\],:]+/g;
const STRING_OR_BLANK = /("[^]*?(?<!\\)(?:\\\\)*")|\s+/g;

const isOpening = (token: string) => token === "{" || token === "[";
const isClosing = (token: string) => token === "}" || token === "]";
export const isJson = (text: string): boolean => parseJson(text) !== undefined;
export const isList = (json: string): boolean => json.trimStart().startsWith("[");

/** On one line. */
export const compact = (json: string): string => json.replace(STRING_OR_BLANK, "$1");

/** On many lines, for people. */
export function indented(json: string): string {
  let newLine = "\n";
  return compact(json).replace(TOKEN, (token) => {
    if (isOpening(token)) return token + (newLine += "  ");
    if (isClosing(token)) return (newLine = newLine.slice(0, -2)) + token;
    return token === "," ? token + newLine : token === ":" ? ": " : token;
  });
}

/** The members of an object or the items of a list, each on one line. */
export function* childrenOf(json: string): Generator<{ name: string; value: string }, void> {
  let depth = 0;
  let name = "";
  let value = "";
  for (const [token] of json.matchAll(TOKEN)) {
    if (isClosing(token)) depth--;
    const isName = depth === 1 && token === ":";
    const isEnd = depth === 0 || (depth === 1 && token === ",");
    if (isName) name = JSON.parse(value);
    if (isEnd && value) yield { name, value };
    value = isName || isEnd ? "" : value + token;
    if (isOpening(token)) depth++;
  }
}

/** A text in which nothing moves the cursor but tabs and line ends. */
export function visible(text: string): string {
  const escaped = (control: string) => `\\u${control.charCodeAt(0).toString(16).padStart(4, "0")}`;
  return text.replaceAll("\r\n", "\n").replace(/(?![\t\n])\p{Cc}/gu, escaped);
}

/** The step of a path to all items; others are the name of a member and the number of an item, as `[0]`. */
export const EACH = "[]";

/** The steps of a path such as `results[].name`. */
export function parsePath(path: string, shown: string): string[] {
  const isPath = /^(\.|\.?([\p{L}\p{N}_$-]+|\[\d*\])(\.[\p{L}\p{N}_$-]+|\[\d*\])*)$/u.test(path);
  if (isPath) return path.match(/[^.[\]]+|\[\d*\]/g) ?? [];
  throw failure(2, `Cannot read ${inOneLine(shown)}: it takes names, dots, [] and [N]. For more pipe into jq`);
}

/** The values at a path, which must be there unless it leads through `[]`. */
export function select(json: string, [step, ...rest]: readonly string[], isOptional = false): string[] {
  if (step === undefined) return [json];
  const children = [...childrenOf(json)];
  if (step === EACH && isList(json)) return children.flatMap(({ value }) => select(value, rest, true));
  const found = children.filter(({ name }, index) => step === (isList(json) ? `[${index}]` : name)).at(-1);
  if (found) return select(found.value, rest, isOptional);
  if (isOptional) return [];
  const there = isList(json) ? `a list of ${children.length}` : children.map(({ name }) => name).join(", ");
  throw failure(1, `Cannot find ${step} in the answer: there is ${inOneLine(there || compact(json)).slice(0, 500)}`);
}

/** What a string says; any other value as it is written. */
export function plain(json: string): string {
  const text = compact(json);
  return text.startsWith('"') ? JSON.parse(text) : text;
}

/** On a line of its own: a string as it is, unless it would break the line. */
export function lineOf(json: string): string {
  const text = plain(json);
  return /[\p{Cc}\p{Cs}]/u.test(text) ? visible(compact(json)) : text;
}

/** The values at a path, one a line. */
export function linesOf(json: string, path: readonly string[], isOptional?: boolean): string {
  if (!isJson(json)) throw failure(1, "Cannot use -q: the answer is no JSON");
  return select(json, path, isOptional).map((value) => `${lineOf(value)}\n`).join("");
}
