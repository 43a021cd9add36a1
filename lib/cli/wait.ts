import { AtlasError } from "../atlas_error.ts";
import { connectionFailure } from "../digest/connection.ts";
import { memberOf } from "../json.ts";
import { isPassing, retryAfter, type Run } from "./client.ts";
import { messageOf } from "./failures.ts";
import { compact, isJson } from "./json_text.ts";
import type { Options } from "./options.ts";
import { lineOf, select, stringIn } from "./query.ts";
import { failure } from "./system.ts";

type Condition = NonNullable<Options["wait"]>;

const GONE = "404";
const TRIES = 3; // to reach a host that has never answered

/**
 * Asks until it is as the condition says; what passes is waited through.
 *
 * @returns the answer that is so, or that ends the waiting; undefined if it was to be gone, and is
 */
export async function waitFor(
  { options, system, signal, report }: Run,
  condition: Condition,
  ask: () => Promise<Response>,
): Promise<Response | undefined> {
  const started = Date.now();
  report.progress = () => `${report.reached}, ${Math.round((Date.now() - started) / 1000)} s`;
  report.reached = "There was no answer yet";
  let hasAnswered = false;
  for (let tries = 1;; tries++) {
    let delay = Math.min(1000 * 2 ** (tries - 1), 10_000);
    try {
      const response = await ask();
      hasAnswered = true;
      if (condition.path === GONE && response.status === 404) return undefined;
      if (!response.ok && !isPassing(response.status)) return response;
      const other = await otherState(response, condition);
      if (other === undefined) return response;
      report.reached = other;
      delay = Math.max(delay, retryAfter(response));
      await response.body?.cancel().catch(() => {}); // it may have broken off
    } catch (error) {
      const failed = connectionFailure(error) ?? connectionFailure(memberOf(error, "cause")); // of asking for a token
      const isLost = failed === "lost" || (failed === "never made" && (hasAnswered || tries < TRIES));
      const isBusy = error instanceof AtlasError && isPassing(error.status);
      if (!isLost && !isBusy) throw error;
      report.reached = messageOf(error);
    }
    if (options.verbose) await report.line(`waiting ${Math.ceil(delay / 1000)} s`);
    await system.sleep(delay, undefined, { signal });
  }
}

/** What it is instead; undefined if it is as the condition says. */
async function otherState(response: Response, { path, steps, value }: Condition): Promise<string | undefined> {
  if (!response.ok) return `The last answer was ${response.status}`;
  if (path === GONE) return "It is still there";
  const json = await response.clone().text().catch(() => undefined);
  if (json === undefined) return "The last answer broke off";
  if (!isJson(json)) throw failure(1, "Cannot wait: the answer is no JSON");
  const [found] = select(json, steps, true);
  if (found === undefined) return `There is no ${path}`;
  const isMet = value === undefined ? found !== "null" : value === (stringIn(found) ?? compact(found));
  return isMet ? undefined : `${path} is ${lineOf(found)}`;
}
