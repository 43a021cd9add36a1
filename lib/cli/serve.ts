import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { arrayBuffer } from "node:stream/consumers";
import type { ApiKey } from "../atlas_fetch.ts";
import { CREDENTIAL_VARIABLES } from "../credentials.ts";
import { memberOf, textOf } from "../json.ts";
import { createFake } from "./atlas.ts";
import { quoted } from "./curl.ts";
import type { Report } from "./report.ts";
import { failure, type System } from "./system.ts";

const HOST = "127.0.0.1";
const CTRL_C = 130; // the exit code

/** Serves a fake Atlas until Ctrl-C, and prints what makes a shell, and all that it starts, ask it. */
export async function serve(port: number, { env, stdout, signal }: System, report: Report): Promise<void> {
  const fake = await createFake();
  let url = "";

  async function answer(
    { method, url: target, headers }: IncomingMessage,
    body: ArrayBuffer,
    outgoing: ServerResponse,
  ) {
    const response = await fake(new URL(String(target), url), {
      method: String(method),
      headers: Object.entries(headers).map(([name, value]) => [name, String(value)]),
      body: body.byteLength > 0 ? body : null,
    });
    await report.line(`${method} ${target} ${response.status}`);
    outgoing.writeHead(response.status, Object.fromEntries(response.headers));
    outgoing.end(new Uint8Array(await response.arrayBuffer()));
  }

  const server = createServer((incoming, outgoing) => {
    // It fails for a client that has gone, and for a GET with a body.
    arrayBuffer(incoming).then((body) => answer(incoming, body, outgoing)).catch(() => outgoing.destroy());
  });
  try {
    await once(server.listen(port, HOST), "listening").catch((error: unknown) => {
      throw failure(1, `Cannot serve: ${textOf(error, "message")}. Try another --port, or none for a free one`);
    });
    url = `http://${HOST}:${memberOf(server.address(), "port")}`;
    await stdout.write(variablesFor(url, fake.credentials, env));
    await report.line(`A fake Atlas is at ${url} until Ctrl-C; what is printed here is for a shell to read`);
    if (!signal.aborted) await once(signal, "abort");
  } finally {
    server.close();
    server.closeAllConnections();
  }
  if (memberOf(signal.reason, "exitCode") !== CTRL_C) throw signal.reason;
}

/** For a shell. The fake's own key is no secret. */
function variablesFor(url: string, { publicKey, privateKey }: ApiKey, env: System["env"]): string {
  const names = CREDENTIAL_VARIABLES.flat();
  const stronger = names.slice(0, names.indexOf("MONGODB_ATLAS_PUBLIC_API_KEY"));
  const withHost = (hosts: string | undefined) => hosts === "*" ? hosts : [hosts, HOST].filter(Boolean).join();
  const values = {
    MONGODB_ATLAS_BASE_URL: url,
    MONGODB_ATLAS_PUBLIC_API_KEY: publicKey,
    MONGODB_ATLAS_PRIVATE_API_KEY: privateKey,
    NO_PROXY: withHost(env.NO_PROXY || env.no_proxy),
    no_proxy: withHost(env.no_proxy || env.NO_PROXY),
  };
  const exports = Object.entries(values).map(([name, value]) => `export ${name}=${quoted(value)}`);
  return [`unset ${stronger.join(" ")}`, ...exports, ""].join("\n");
}
