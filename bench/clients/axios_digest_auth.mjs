import { Readable } from "node:stream";
import axiosDigestAuth from "@mhoc/axios-digest-auth";

const AxiosDigestAuth = axiosDigestAuth.default; // CommonJS compiled from TypeScript: its class is a property

export function createClient({ url, username, password }) {
  const digestAuth = new AxiosDigestAuth({ username, password });
  async function request(method, data) {
    const headers = { Accept: "application/json", "Content-Type": "application/json" };
    const response = await digestAuth.request({ headers, method, url, data });
    return response.status;
  }
  return {
    get: () => request("GET"),
    post: (body) => request("POST", body),
    stream: (body) => request("POST", Readable.fromWeb(body)),
  };
}
