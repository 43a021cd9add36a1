/**
 * Devices that keep no connection and don't say so, in a process of their own: on Node, whatever the tests run on.
 * `POST /?way=...` to the port that it prints starts one and gives its port, `GET /?port=...` what has come to it since.
 */

import { createHash, randomBytes } from "node:crypto";
import { createServer as createHttpServer } from "node:http";
import { createServer, type Socket } from "node:net";
import { listen, readParams } from "../front.ts";

/** A request that came to a device. */
export interface Arrival {
  /** Of the Authorization header, if there is one. */
  nonce: string | undefined;
  nc: string | undefined;
  /** Of the answer; 0 if there was none. */
  status: number;
}

/** What follows the one answer of a connection. A second request ends it anyhow. */
const ways: Record<string, (socket: Socket) => void> = {
  "sends FIN with each answer": (socket) => socket.end(),
  "closes right behind each answer": (socket) => socket.destroySoon(),
  "sends FIN 5 ms behind each answer": (socket) => setTimeout(() => socket.end(), 5),
  "sends RST behind each answer": (socket) => socket.write("", () => socket.resetAndDestroy()),
  "drops a connection at its second request": () => {},
};

const [username = "", password = ""] = process.argv.slice(2);
const arrivals = new Map<number, Arrival[]>();

async function startDevice(way: string): Promise<number> {
  const nonces = new Set<string>();
  const arrived: Arrival[] = [];
  const port = await listen(createServer((socket) => {
    let text = "";
    let isAnswered = false;
    socket.setNoDelay(true);
    socket.on("error", () => {}); // resets
    socket.on("data", (bytes) => {
      text += bytes.toString("latin1");
      const [head = ""] = /^[^]*?\r\n\r\n/.exec(text) ?? [];
      const length = Number(/\r\ncontent-length: *(\d+)/i.exec(head)?.[1] ?? 0);
      if (!head || text.length < head.length + length) return;
      text = "";
      const { nonce, nc } = readAuthorization(head);
      const status = isAnswered ? 0 : isSigned(head, nonces) ? 200 : 401;
      arrived.push({ nonce, nc, status });
      if (isAnswered) return socket.destroy();
      isAnswered = true;
      socket.write(`HTTP/1.1 ${status} It\r\n${status === 401 ? challenge(nonces) : ""}Content-Length: 4\r\n\r\npage`);
      ways[way]?.(socket);
    });
  }));
  arrivals.set(port, arrived);
  return port;
}

function readAuthorization(head: string): Readonly<Record<string, string>> {
  return readParams(/\r\nauthorization: *(.*)\r\n/i.exec(head)?.[1] ?? "");
}

/** RFC 7616 section 3.4.1, for MD5 and qop=auth. */
function isSigned(head: string, nonces: ReadonlySet<string>): boolean {
  const hash = (text: string) => createHash("md5").update(text).digest("hex");
  const [method = "", target = ""] = head.split(" ");
  const { nonce = "", nc, cnonce, uri, response } = readAuthorization(head);
  const middle = `${nonce}:${nc}:${cnonce}:auth`;
  const expected = hash(`${hash(`${username}:device:${password}`)}:${middle}:${hash(`${method}:${target}`)}`);
  return nonces.has(nonce) && uri === target && response === expected;
}

function challenge(nonces: Set<string>): string {
  const nonce = randomBytes(8).toString("hex");
  nonces.add(nonce);
  return `WWW-Authenticate: Digest realm="device", nonce="${nonce}", qop="auth", algorithm=MD5\r\n`;
}

const port = await listen(createHttpServer(async ({ url = "", method }, response) => {
  const { searchParams } = new URL(url, "http://127.0.0.1");
  const arrived = arrivals.get(Number(searchParams.get("port")))?.splice(0);
  response.end(JSON.stringify(method === "POST" ? await startDevice(searchParams.get("way") ?? "") : arrived));
}));
console.log(JSON.stringify({ port, ways: Object.keys(ways) }));
