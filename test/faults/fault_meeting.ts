/** A call meets a fault on its way to a server: how that ends by the book, and how it does. */
import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { inspect } from "node:util";
import { type Exchange, type Fault, type FaultProxy, startFaultProxy } from "./fault_proxy.ts";

export interface FaultyPath {
  proxy: FaultProxy;
  /** What befalls the next exchanges for which this is true, one after the other. */
  befall(faults: readonly Fault[], isMeant?: (exchange: Exchange) => boolean): void;
}

/** Puts a proxy before the server at a port for as long as the work takes. */
export async function withFaultyPath(port: number, work: (path: FaultyPath) => Promise<void>): Promise<void> {
  let faults: Fault[] = [];
  let isMeant = (_exchange: Exchange) => true;
  const proxy = await startFaultProxy(port, (exchange) => isMeant(exchange) ? faults.shift() : undefined);
  const befall: FaultyPath["befall"] = (list, filter = () => true) => {
    faults = [...list];
    isMeant = filter;
  };
  try {
    await work({ proxy, befall });
  } finally {
    proxy.close();
  }
}

export type End = "succeeds" | "is lost" | "is aborted" | "breaks in the body" | "is no HTTP" | "meets no fault";

/** By the fault: how a GET and a POST end that meet it on a connection in use, and how often the POST is executed. */
export const ENDS: Record<Fault, { get: End; post: End; executed: number }> = {
  "reset before the request is passed on": { get: "succeeds", post: "is lost", executed: 0 },
  "reset in the request body": { get: "meets no fault", post: "is lost", executed: 0 },
  "reset after the request, its answer withheld": { get: "succeeds", post: "is lost", executed: 1 },
  "reset in the response head": { get: "succeeds", post: "is lost", executed: 1 },
  "stall in the response head": { get: "is aborted", post: "is aborted", executed: 1 },
  "reset in the response body": { get: "breaks in the body", post: "breaks in the body", executed: 1 },
  "stall in the response body": { get: "breaks in the body", post: "breaks in the body", executed: 1 },
  "cut the response body short": { get: "breaks in the body", post: "breaks in the body", executed: 1 },
  "one byte at a time": { get: "succeeds", post: "succeeds", executed: 1 },
  "delay": { get: "succeeds", post: "succeeds", executed: 1 },
  "garbage for an answer": { get: "is no HTTP", post: "is no HTTP", executed: 1 },
  "close the kept-alive connection at its reuse": { get: "succeeds", post: "is lost", executed: 0 },
};

/**
 * Makes a call that meets the fault, which is aborted if it stalls, and tells how it ends. Only a call that succeeds, and
 * only one that may be, was sent more than once.
 *
 * @param isLost Whether an error says that the connection was lost
 */
export async function meet(
  fault: Fault,
  { proxy, befall }: FaultyPath,
  call: (signal: AbortSignal) => Promise<Response>,
  isLost: (error: Error) => boolean,
): Promise<End> {
  const before = proxy.exchanges.length;
  const controller = new AbortController();
  const reason = new Error("Enough");
  befall([fault]);
  let isInBody = false;
  const ask = async (): Promise<End> => {
    const response = await call(controller.signal);
    isInBody = true;
    await response.text();
    assert.ok(response.ok, String(response.status));
    return "succeeds";
  };
  const ended = ask().catch((error: unknown): End => {
    if (isInBody) return "breaks in the body";
    if (error === reason) return "is aborted";
    assert.ok(error instanceof TypeError, inspect(error));
    if (isLost(error)) return "is lost";
    assert.match(inspect(error), /HTTP/);
    return "is no HTTP";
  });
  const met = () => proxy.exchanges.slice(before).find((exchange) => exchange.fault === fault);
  if (fault.startsWith("stall")) {
    const isStalled = () => met()?.isBroken && (isInBody || fault === "stall in the response head");
    while (!isStalled()) await sleep(1);
    controller.abort(reason);
  }
  const end = await ended;
  const sent = proxy.exchanges.length - before;
  assert.ok(sent <= 4, `${sent} requests`);
  if (end !== "succeeds" && end !== "is aborted") assert.equal(sent, 1, "It was tried again");
  return met()?.isBroken ? end : "meets no fault";
}
