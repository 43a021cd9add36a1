import { createAtlasFetch } from "../atlas_fetch.ts";
import type { Fetch } from "../digest/call.ts";
import type { Atlas } from "./atlas.ts";
import type { Options } from "./options.ts";
import type { Output } from "./output.ts";
import type { Report } from "./report.ts";
import type { System } from "./system.ts";

/** Sends the call of the command line to a path. */
export type Client = (path: string) => Promise<Response>;

/** One call, and what its parts share. */
export interface Run {
  options: Options;
  system: System;
  report: Report;
  signal: AbortSignal;
  output: Output;
  /** That went out, and where the last of them went. */
  requests: number;
  host: string;
}

const PAUSE = 200; // ms; what is longer is a wait, to be told

export function createClient(run: Run, { credentials, baseUrl, fetch }: Atlas, body: string | undefined): Client {
  const { report, signal, options: { method, headers, format, verbose, wait, "api-version": version } } = run;
  let pause: ReturnType<typeof setTimeout> | undefined;
  let isWarned = false;

  function tellWait(end: number): void {
    const seconds = () => Math.max(1, Math.ceil((end - Date.now()) / 1000));
    report.waiting = () => `waiting ${seconds()} s`;
    if (verbose) report.line(report.waiting());
  }

  const observed: Fetch = async (input, init) => {
    clearTimeout(pause);
    report.waiting = undefined;
    const { host, pathname, search } = new URL(String(input));
    run.requests++;
    run.host = host;
    const started = Date.now();
    let response: Response | undefined;
    try {
      return response = await fetch(input, init);
    } finally {
      const outcome = `${response?.status ?? "failed after"} ${Date.now() - started} ms`;
      if (verbose) await report.line(`${init?.method} ${pathname}${search} ${outcome}`);
      if (isPassing(response?.status)) pause = setTimeout(tellWait, PAUSE, Date.now() + retryAfter(response));
    }
  };

  const retry = wait ? false : undefined; // who waits asks again anyway
  const atlas = createAtlasFetch({ credentials, baseUrl, version, retry, fetch: observed });

  return async (path) => {
    const call = atlas(path, { method, headers, body: body ?? null, format, signal });
    const response = await call.finally(() => clearTimeout(pause));
    const warning = deprecationOf(response);
    if (warning && !isWarned) await report.line(warning);
    isWarned ||= warning !== undefined;
    return response;
  };
}

/** Whether it is worth asking again later; no status is a lost connection. */
export function isPassing(status: number = 503): boolean {
  return status === 429 || status >= 500;
}

/** `Retry-After`, seconds or a date, in ms from now. */
export function retryAfter(response: Response | undefined): number {
  const value = response?.headers.get("retry-after") ?? "";
  const ms = /^\d+$/.test(value) ? Number(value) * 1000 : Date.parse(value) - Date.now();
  return ms > 0 ? Math.min(ms, 2 ** 31 - 1) : 0; // a longer timer ends at once
}

/** What to say of a version that is deprecated (RFC 9745, RFC 8594). */
function deprecationOf({ headers, url }: Response): string | undefined {
  const deprecation = headers.get("deprecation");
  if (deprecation === null) return undefined;
  const [since, end] = [deprecation, headers.get("sunset") ?? ""].map(dayOf);
  const dates = `${since && ` since ${since}`}${end && `, until ${end}`}`;
  return `Warning: this version of ${new URL(url).pathname} is deprecated${dates}. Try a later --api-version`;
}

/** The day of an HTTP-date or of `@seconds`; empty for anything else. */
function dayOf(date: string): string {
  const day = new Date(date.startsWith("@") ? Number(date.slice(1)) * 1000 : date);
  return isNaN(Number(day)) ? "" : day.toISOString().slice(0, 10);
}
