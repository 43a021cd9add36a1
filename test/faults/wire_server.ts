/** A server that speaks bytes, since node:http would not let it lie. */
import { createServer, type Socket } from "node:net";
import { listen } from "../interop/front.ts";

export interface WireServer {
  url: string;
  /** Each request as it came, head and body. */
  requests: string[];
  /** The bytes that the answers took, and the connections that are still open. */
  written(): number;
  open(): number;
}

/** Serves for as long as the work takes; each request is answered by what is written to its socket. */
export async function withWireServer(
  answer: (socket: Socket, request: string) => void,
  work: (server: WireServer) => Promise<void>,
): Promise<void> {
  const sockets = new Set<Socket>();
  const requests: string[] = [];
  let written = 0;
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    socket.on("close", () => {
      written += socket.bytesWritten;
      sockets.delete(socket);
    });
    socket.on("data", (bytes: Uint8Array) => {
      const request = Buffer.from(bytes).toString("latin1");
      const isTls = bytes[0] === 0x16;
      if (!isTls && !/^[A-Z]+ \S+ HTTP\/1\.1\r\n/.test(request)) return; // the rest of a body
      requests.push(request);
      if (isTls) return void socket.destroy();
      answer(socket, request);
    });
  });
  const port = await listen(server);
  try {
    await work({
      url: `http://127.0.0.1:${port}`,
      requests,
      written: () => [...sockets].reduce((sum, socket) => sum + socket.bytesWritten, written),
      open: () => sockets.size,
    });
  } finally {
    server.close();
    for (const socket of sockets) socket.destroy();
  }
}

/** An answer with a length, to be written as it is. */
export function http(status: number, fields: readonly string[], body = ""): string {
  return [`HTTP/1.1 ${status} Whatever`, `Content-Length: ${body.length}`, ...fields, "", body].join("\r\n");
}

/** Writes for as long as anybody reads, up to so many bytes. */
export function pump(socket: Socket, chunk: Uint8Array | string, limit: number): void {
  const write = () => {
    while (!socket.destroyed && socket.bytesWritten < limit) if (!socket.write(chunk)) break;
  };
  socket.on("drain", write);
  write();
}
