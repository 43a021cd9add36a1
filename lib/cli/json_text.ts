/** JSON as text: no number that is printed was ever parsed, so that those beyond 2^53 come through whole. */
import { parseJson } from "../json.ts";

export function isJson(text: string): boolean {
  return parseJson(text) !== undefined;
}

/** The marks, strings and other values of valid JSON. */
function* tokensOf(json: string): Generator<string, void> {
  const START = /["{}[\],:]|[^\s"{}[\],:]+/g;
  for (let start; (start = START.exec(json));) {
    if (start[0] === '"') START.lastIndex = endOfString(json, start.index);
    yield json.slice(start.index, START.lastIndex);
  }
}

function endOfString(json: string, start: number): number {
  let at = start + 1;
  while (json[at] !== '"') at += json[at] === "\\" ? 2 : 1;
  return at + 1;
}

const isOpening = (token: string) => token === "{" || token === "[";
const isClosing = (token: string) => token === "}" || token === "]";

/** On one line. */
export function compact(json: string): string {
  return [...tokensOf(json)].join("");
}

/** On many lines, for people. */
export function indented(json: string): string {
  let text = "";
  let newLine = "\n";
  let before = ",";
  for (const token of tokensOf(json)) {
    if (isClosing(token)) newLine = newLine.slice(0, -2);
    const isEmpty = isOpening(before) && isClosing(token);
    if (!isEmpty && (before === "," || isOpening(before) || isClosing(token))) text += newLine;
    text += token === ":" ? ": " : token;
    if (isOpening(token)) newLine += "  ";
    before = token;
  }
  return text.slice(1);
}

export function isList(json: string): boolean {
  return json.trimStart().startsWith("[");
}

/** The members of an object or the items of a list, each on one line. */
export function* childrenOf(json: string): Generator<{ name: string; value: string }, void> {
  let depth = 0;
  let name = "";
  let value = "";
  for (const token of tokensOf(json)) {
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
