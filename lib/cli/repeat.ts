/** Calls that are sent again and again: until it is so, and page by page. */
import { AtlasError, ensureOk } from "../atlas_error.ts";
import { connectionFailure } from "../digest/connection.ts";
import { listOf, memberOf, parseJson, textOf } from "../json.ts";
import { canonical } from "../paginate.ts";
import { type Client, delayAskedBy, isPassing, messageOf, type Run } from "./client.ts";
import { childrenOf, EACH, indented, isJson, isList, lineOf, linesOf, plain, select, visible } from "./json_text.ts";
import type { Options } from "./options.ts";
import { type Output, writeText } from "./output.ts";
import { failure } from "./system.ts";

const GONE = "404";
const TRIES = 3; // to reach a host that has never answered

/** Asks until it is as `--wait` says, or will never be. Undefined if it was to be gone, and is. */
export async function waitFor(run: Run, client: Client, path: string): Promise<Response | undefined> {
  const { screen, options: { condition, verbose } } = run;
  const started = Date.now();
  screen.progress = () => `${screen.reached}, ${Math.round((Date.now() - started) / 1000)} s`;
  screen.reached = "There was no answer yet";
  let hasAnswered = false;
  for (let tries = 1;; tries++) {
    let delay = Math.min(1000 * 2 ** (tries - 1), 10_000);
    try {
      const response = await client(path);
      hasAnswered = true;
      if (condition.path === GONE && response.status === 404) return undefined;
      const other = await otherState(response, condition);
      if (other === undefined) return response;
      screen.reached = other;
      delay = Math.max(delay, delayAskedBy(response));
      await response.body?.cancel().catch(() => {}); // it may have broken off
    } catch (error) {
      const failed = connectionFailure(error) ?? connectionFailure(memberOf(error, "cause")); // of asking for a token
      const isLost = failed === "lost" || (failed === "never made" && (hasAnswered || tries < TRIES));
      const isBusy = error instanceof AtlasError && isPassing(error.status);
      if (!isLost && !isBusy) throw error;
      screen.reached = messageOf(error);
    }
    if (verbose) await screen.tell(`waiting ${Math.ceil(delay / 1000)} s`);
    await run.sleep(delay);
  }
}

/** What it is instead; undefined if it is as the condition says, or will never be. */
async function otherState(response: Response, condition: Options["condition"]): Promise<string | undefined> {
  const { path, steps, value } = condition;
  if (!response.ok) return isPassing(response.status) ? `The last answer was ${response.status}` : undefined;
  if (path === GONE) return "It is still there";
  const json = await response.clone().text().catch(() => undefined);
  if (json === undefined) return "The last answer broke off";
  if (!isJson(json)) throw failure(1, "Cannot wait: the answer is no JSON");
  const [found] = select(json, steps, true);
  if (found === undefined) return `There is no ${path}`;
  const isMet = value === undefined ? found !== "null" : value === plain(found);
  return isMet ? undefined : `${path} is ${lineOf(found)}`;
}

/** Writes the items of all pages as one array, or what a query takes of them, page by page. */
export async function writePages({ options, screen }: Run, output: Output, ask: Client, path: string): Promise<void> {
  const { query, steps } = options;
  const [first, ...rest] = steps;
  const only = first ? parseInt(first.slice(1)) : NaN; // the number of the only item that is wanted
  let pages = 0;
  let items = 0;
  screen.progress = () => `${pages} pages, ${items} items`;

  function shown(item: string, index: number): string {
    if (first) return first === EACH || only === index ? linesOf(item, rest, first === EACH) : "";
    const text = output.isTerminal ? visible(`  ${indented(item).replaceAll("\n", "\n  ")}`) : item;
    return (index === 0 ? "[\n" : ",\n") + text;
  }

  for await (const page of pagesOf(path, ask)) {
    const list = listIn(page);
    if (!list && pages === 0) return await (query ? output.write(linesOf(page, steps)) : writeText(page, output));
    if (!list) throw failure(1, `Page ${pages + 1} of the list is no list`);
    pages++;
    const texts = [...childrenOf(list)].map(({ value }, index) => shown(value, items + index));
    items += texts.length;
    await output.write(texts.join(""));
    if (!options.output) screen.reached = `${items} items are out${first ? "" : ", and the array is not closed"}`;
    if (only < items) return;
  }
  if (only >= items) throw failure(1, `Cannot find ${first} in the answer: there is a list of ${items}`);
  if (!first) await output.write(items === 0 ? "[]\n" : "\n]\n");
}

/** A page that is a plain list, or its results. */
function listIn(page: string): string | undefined {
  return isJson(page) ? [page, ...select(page, ["results"], true)].find(isList) : undefined;
}

/** The pages of a list. Of `next` it takes the query and nothing else, so that no answer leads elsewhere. */
async function* pagesOf(path: string, ask: Client): AsyncGenerator<string, void> {
  const [base = "", ...queries] = path.replace(/#.*/s, "").split("?");
  let query = queries.join("?");
  if (!new URLSearchParams(query).has("itemsPerPage")) query += `${query && "&"}itemsPerPage=500`;
  for (const asked = new Set<string>(); !asked.has(canonical(query));) {
    asked.add(canonical(query));
    const response = await ensureOk(ask(`${base}?${query}`));
    const page = await response.text();
    yield page;
    const next = listOf(parseJson(page), "links")?.find((link) => textOf(link, "rel") === "next");
    if (!next) return;
    const href = textOf(next, "href");
    if (!href || !URL.canParse(href, response.url)) throw failure(1, `The next link of page ${asked.size} is no URL`);
    query = new URL(href, response.url).search.slice(1);
  }
}
