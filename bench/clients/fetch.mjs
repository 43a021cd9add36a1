// The limit: what fetch costs with nothing around it. It can only be asked of a server without authentication.
export function createClient({ url }) {
  async function answer(response) {
    await response.json();
    return response.status;
  }
  return {
    get: async () => answer(await fetch(url)),
    post: async (body) => answer(await fetch(url, postInit(body))),
    stream: async (body) => answer(await fetch(url, { ...postInit(body), duplex: "half" })),
  };
}

function postInit(body) {
  return {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body,
  };
}
