import { childrenOf, compact, isJson, isList, visible } from "./json_text.ts";
import { oneLine } from "./report.ts";
import { failure } from "./system.ts";

/** The name of a member, the number of an item, or all items. */
export type Step = string | number;
export const EACH: Step = "[]";

const PATH = /^(\.|\.?([\p{L}\p{N}_$-]+|\[\d*\])(\.[\p{L}\p{N}_$-]+|\[\d*\])*)$/u;

/** Reads `results[].name`. */
export function parsePath(path: string, shown: string): Step[] {
  if (!PATH.test(path)) {
    throw failure(2, `Cannot read ${oneLine(shown)}: it takes names, dots, [] and [N]. For more pipe into jq`);
  }
  const steps = path.match(/[^.[\]]+|\[\d*\]/g) ?? [];
  return steps.map((step) => step.startsWith("[") && step !== EACH ? Number(step.slice(1, -1)) : step);
}

/** The values at a path, which must be there unless it leads through `[]`. */
export function select(json: string, [step, ...rest]: readonly Step[], isOptional = false): string[] {
  if (step === undefined) return [json];
  const children = [...childrenOf(json)];
  if (step === EACH && isList(json)) return children.flatMap(({ value }) => select(value, rest, true));
  const found = children.filter(({ name }, index) => step === (isList(json) ? index : name)).at(-1);
  if (found) return select(found.value, rest, isOptional);
  if (isOptional) return [];
  const there = isList(json) ? `a list of ${children.length}` : children.map(({ name }) => name).join(", ");
  const wanted = typeof step === "number" ? `[${step}]` : step;
  throw failure(1, `Cannot find ${wanted} in the answer: there is ${oneLine(there || compact(json)).slice(0, 500)}`);
}

/** What a JSON string says. */
export function stringIn(json: string): string | undefined {
  const value: unknown = json.trimStart().startsWith('"') ? JSON.parse(json) : undefined;
  return typeof value === "string" ? value : undefined;
}

/** On a line of its own: a string as it is, unless it would break the line. */
export function lineOf(json: string): string {
  const text = stringIn(json);
  return text === undefined || /[\p{Cc}\p{Cs}]/u.test(text) ? visible(compact(json)) : text;
}

/** The values at a path, one a line. */
export function linesOf(json: string, path: readonly Step[], isOptional?: boolean): string {
  if (!isJson(json)) throw failure(1, "Cannot use -q: the answer is no JSON");
  return select(json, path, isOptional).map((value) => `${lineOf(value)}\n`).join("");
}
