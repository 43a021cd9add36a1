/** A ledger behind a network that breaks every tenth connection, and the books of both when the calls are over. */
import { createServer } from "node:http";
import { listen } from "../interop/front.ts";
import { type Exchange, type Fault, type FaultProxy, FAULTS, startFaultProxy } from "./fault_proxy.ts";
import { type Ledger, startLedger } from "./ledger_server.ts";
import { isPost, type Outcome } from "./soak.ts";

export interface Scene {
  /** What a client is told. */
  url: string;
  key: { publicKey: string; privateKey: string };
  account: { clientId: string; clientSecret: string };
  accessToken: string;
  ledger: Ledger;
  proxy: FaultProxy;
  /** What came to the other server that `/away` leads to. */
  elsewhere: string[];
}

/** What became of the calls that met a fault. */
export interface Row {
  fault: string;
  calls: number;
  succeeded: number;
  typedErrors: number;
  lost: number;
  executedTwice: number;
  leaked: number;
}

const KEY = { publicKey: "soakkeys", privateKey: "S3CRET-private-key" };
const ACCOUNT = { clientId: "mdb_sa_id_5041", clientSecret: "mdb_sa_sk_S3CRET-client-secret" };
const ACCESS_TOKEN = "S3CRET-access-token";
const BASIC = Buffer.from(`${ACCOUNT.clientId}:${ACCOUNT.clientSecret}`).toString("base64");

/**
 * Serves for as long as the work takes.
 *
 * @param faults What befalls connections, in turn
 * @param refusesEvery So often, in ms, new connections are refused for a moment, and those that nobody has yet accepted reset
 */
export async function withLedger(
  { faults, refusesEvery }: { faults: readonly Fault[]; refusesEvery?: number },
  work: (scene: Scene) => Promise<void>,
): Promise<void> {
  const elsewhere: string[] = [];
  const other = createServer((request, response) => {
    elsewhere.push([request.url, ...request.rawHeaders].join("\n"));
    response.end(JSON.stringify({ call: request.url?.slice(1) }));
  });
  const port = await listen(other);
  const ledger = await startLedger({
    keys: { [KEY.publicKey]: KEY.privateKey },
    accounts: { [ACCOUNT.clientId]: ACCOUNT.clientSecret },
    accessTokens: [ACCESS_TOKEN],
    nonceLifetime: 200,
    tokenLifetime: 2000,
    busyEvery: 101,
    unavailableEvery: 211,
    requestsPerConnection: 4,
    elsewhere: `http://127.0.0.1:${port}`,
  });
  const proxy = await startFaultProxy(ledger.port, createChooser(faults));
  const refusing = refusesEvery && setInterval(() => {
    proxy.refuse();
    setTimeout(proxy.accept, 20);
  }, refusesEvery);
  try {
    await work({ url: proxy.url, key: KEY, account: ACCOUNT, accessToken: ACCESS_TOKEN, ledger, proxy, elsewhere });
  } finally {
    if (refusing) clearInterval(refusing);
    proxy.close();
    ledger.close();
    other.close();
    other.closeAllConnections();
  }
}

/** Every tenth connection is broken, at its first, second or third request, by one fault after the other. */
function createChooser(faults: readonly Fault[]): (exchange: Exchange) => Fault | undefined {
  return ({ connection, index }) => {
    const turn = Math.floor(connection / 10);
    const isMeant = connection % 10 === 7 && index >= Math.floor(turn / faults.length) % 3;
    return isMeant ? faults[turn % faults.length] : undefined;
  };
}

/** Compares what the calls say with what the ledger did, fault by fault; the last row is that of all calls. */
export function tally(
  outcomes: readonly Outcome[],
  { ledger, proxy, elsewhere }: Scene,
  refused: readonly string[],
): { rows: Row[]; unaccounted: string[] } {
  const secrets = [KEY.privateKey, ACCOUNT.clientSecret, ACCESS_TOKEN, BASIC, 'response="', ...ledger.tokens()];
  const isLeak = (text = "") => secrets.some((secret) => text.includes(secret));
  const byCall = new Map(outcomes.map((outcome) => [outcome.call, outcome]));
  const timesOf = (call: string) => ledger.executed.get(call) ?? 0;

  function row(fault: string, calls: Iterable<string | undefined>): Row {
    const met = [...new Set(calls)].flatMap((call) => byCall.get(call ?? "") ?? []);
    const count = (end: Outcome["end"]) => met.filter((outcome) => outcome.end === end).length;
    return {
      fault,
      calls: met.length,
      succeeded: count("succeeded"),
      typedErrors: count("typed error"),
      lost: count("lost"),
      executedTwice: met.filter(({ call }) => timesOf(call) > 1).length,
      leaked: met.filter(({ error }) => isLeak(error)).length,
    };
  }

  const metBy = (fault: Fault) => proxy.exchanges.filter((exchange) => exchange.isBroken && exchange.fault === fault);
  const all = row("all calls", byCall.keys());
  all.leaked += elsewhere.filter((text) => isLeak(text) || /^authorization$/im.test(text)).length;
  return {
    rows: [row("refuse the connection", refused), ...FAULTS.map((fault) => row(fault, metBy(fault).map(callOf))), all],
    unaccounted: [
      ...outcomes.filter(({ call, kind, end }) => {
        return end === "succeeded" ? timesOf(call) !== (isPost(kind) ? 1 : 0) : timesOf(call) > 1;
      }).map(({ call, kind, end }) => `${call}: ${kind}, ${end}, executed ${timesOf(call)} times`),
      ...[...ledger.executed.keys()].filter((call) => !byCall.has(call)),
    ],
  };
}

function callOf({ request }: Exchange): string | undefined {
  return /\r\nx-call: (\S+)\r\n/i.exec(request)?.[1];
}
