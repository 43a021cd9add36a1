import { createDigestFetch } from "atlas-fetch/digest";

export function createClient({ url, username, password }) {
  const digestFetch = createDigestFetch({ username, password });
  async function answer(response) {
    await response.json();
    return response.status;
  }
  return {
    get: async () => answer(await digestFetch(url)),
    post: async (body) => answer(await digestFetch(url, postInit(body))),
    stream: async (body) => answer(await digestFetch(url, { ...postInit(body), duplex: "half" })),
  };
}

function postInit(body) {
  return {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body,
  };
}
