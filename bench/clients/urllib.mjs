import { Readable } from "node:stream";
import { request } from "urllib";

export function createClient({ url, username, password }) {
  const digestAuth = `${username}:${password}`;
  const headers = { "Content-Type": "application/json" };
  return {
    async get() {
      const { res } = await request(url, { digestAuth, dataType: "json" });
      return res.status;
    },
    async post(content) {
      const { res } = await request(url, {
        method: "POST",
        headers,
        content,
        digestAuth,
        dataType: "json",
      });
      return res.status;
    },
    async stream(body) {
      const { res } = await request(url, {
        method: "POST",
        headers,
        stream: Readable.fromWeb(body),
        digestAuth,
        dataType: "json",
      });
      return res.status;
    },
  };
}
