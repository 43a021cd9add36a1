import { AtlasError, atlasError, memberOf, parseJson } from "./atlas_error.ts";
import type { AtlasRequestInit } from "./atlas_fetch.ts";
import type { Fetch } from "./digest/call.ts";

/**
 * The items of a list, page by page as they arrive.
 *
 * It asks for 500 items a page unless the query says otherwise, and follows `links[rel=next]` by its query only: the
 * rest of the URL stays your own, so no `next` can lead credentials elsewhere. It ends with a page that has no `next`
 * or one that was asked for before. Lists that Atlas does not page, some of them plain arrays, are one page.
 *
 * @param fetch Such as `atlasFetch`
 * @param input Of the list, as `fetch` takes it
 * @param init For each page
 * @throws {AtlasError} for a page that is refused or is no list, with path and page; and what `fetch` throws
 *
 * @example
 * ```ts no-eval
 * import { atlasFetch, paginate } from "atlas-fetch";
 *
 * for await (const project of paginate<{ name: string }>(atlasFetch, "/groups")) console.log(project.name);
 * ```
 */
export async function* paginate<T = unknown>(
  fetch: Fetch,
  input: string | URL,
  init?: AtlasRequestInit,
): AsyncGenerator<T, void> {
  const [target = ""] = String(input).split("#");
  const [base = ""] = target.split("?");
  const asked = new Set<string>();
  let query: string | undefined = withPageSize(target.slice(base.length + 1));
  for (let page = 1; query !== undefined && !asked.has(canonical(query)); page++) {
    asked.add(canonical(query));
    let place = `${base.replace(/^\w+:\/\/[^/]*/, "")} page ${page}`;
    const response = await fetch(`${base}?${query}`, init).catch((error: unknown) => lost(error, place));
    if (response.url !== "") place = `${new URL(response.url).pathname} page ${page}`;
    if (!response.ok) throw await atlasError(response, place);
    const body = parseJson(await response.text().catch((error: unknown) => lost(error, place)));
    const items = Array.isArray(body) ? body : memberOf(body, "results");
    if (!Array.isArray(items)) throw new AtlasError(response, { detail: "The answer is not a list" }, place);
    yield* items;
    query = nextQuery(body, response, place);
  }
}

/** Names the page in an error of the network. */
function lost(error: unknown, place: string): never {
  if (!(error instanceof TypeError)) throw error;
  throw new TypeError(`${place}: ${error.message}`, { cause: error.cause ?? error });
}

function withPageSize(query: string): string {
  if (new URLSearchParams(query).has("itemsPerPage")) return query;
  return query === "" ? "itemsPerPage=500" : `${query}&itemsPerPage=500`;
}

/** The same for every way to ask for the same page. */
function canonical(query: string): string {
  const params = new URLSearchParams(query);
  if (!params.has("pageNum")) params.set("pageNum", "1");
  params.delete("itemsPerPage");
  params.sort();
  return params.toString();
}

function nextQuery(body: unknown, response: Response, place: string): string | undefined {
  const links = memberOf(body, "links");
  const next = Array.isArray(links) && links.find((link: unknown) => memberOf(link, "rel") === "next");
  if (!next) return undefined;
  const href = memberOf(next, "href");
  if (typeof href !== "string" || !URL.canParse(href)) {
    throw new AtlasError(response, { detail: "The link to the next page is not a URL" }, place);
  }
  return new URL(href).search.slice(1);
}
