import { createAtlasFetch } from "atlas-fetch";

export function createClient({ url, username, password }) {
  const atlasFetch = createAtlasFetch({
    baseUrl: new URL(url).origin,
    credentials: { publicKey: username, privateKey: password },
  });
  async function answer(response) {
    await response.json();
    return response.status;
  }
  return {
    get: async () => answer(await atlasFetch("/groups")),
    post: async (body) => answer(await atlasFetch("/groups", { method: "POST", body })),
    stream: async (body) => answer(await atlasFetch("/groups", { method: "POST", body, duplex: "half" })),
  };
}
