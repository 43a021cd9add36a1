import assert from "node:assert/strict";
import { test } from "node:test";
import { inspect } from "node:util";
import { AtlasError } from "../lib/atlas_error.ts";
import { createTokenSource, type TokenSource, type TokenStore } from "../lib/token_source.ts";
import { withTimers } from "./clock.ts";
import { createGate } from "./gate.ts";
import { connectionError, lost } from "./retry_answers.ts";
import { reasonOf, serving } from "./serving.ts";
import { clientId, clientSecret, createDesk, minted } from "./token_desk.ts";

async function refusalOf(token: TokenSource): Promise<AtlasError> {
  const error = await reasonOf(token());
  assert.ok(error instanceof AtlasError, inspect(error));
  return error;
}

test("createTokenSource() fails all who waited for a failed mint, and does not remember it", async () => {
  const desk = createDesk((count) => count === 1 ? new Response("Oops", { status: 500 }) : minted("t2"));
  const token = createTokenSource({ clientId, clientSecret, fetch: desk.fetch });
  const settled = await Promise.allSettled([token(), token(), token()]);
  assert.deepEqual(settled.map(({ status }) => status), ["rejected", "rejected", "rejected"]);
  assert.equal(desk.sent.length, 1);
  assert.equal(await token(), "t2");
});

/** What may be over with the next try. */
const PASSING: [what: string, answer: () => Response | Promise<Response>][] = [
  ["a lost connection", lost],
  ["a connection that was never made", () => Promise.reject(connectionError("ECONNREFUSED"))],
  ["a 502", () => new Response("<html>", { status: 502 })],
  ["a 503", () => new Response("Oops", { status: 503 })],
  ["a 504", () => new Response(null, { status: 504 })],
  ["an answer that breaks off", () => {
    const chunks = [new TextEncoder().encode('{ "access_token": "broken", ')];
    const pull = (controller: ReadableStreamDefaultController) => {
      const chunk = chunks.pop();
      if (chunk) controller.enqueue(chunk);
      else {controller.error(
          new TypeError("terminated", { cause: Object.assign(new Error("x"), { code: "ECONNRESET" }) }),
        );}
    };
    return new Response(new ReadableStream({ pull }));
  }],
];

for (const [what, answer] of PASSING) {
  test(`createTokenSource() tries again by itself after ${what}, at most twice`, async () => {
    await withTimers({ random: 0.5 }, async (waits) => {
      for (const failures of [1, 2]) {
        const desk = createDesk((number) => number <= failures ? answer() : minted("t"));
        assert.equal(await createTokenSource({ clientId, clientSecret, fetch: desk.fetch })(), "t");
        assert.equal(desk.sent.length, failures + 1);
      }
      assert.deepEqual(waits, [250, 250, 500]);
      const desk = createDesk(answer);
      const error = await reasonOf(createTokenSource({ clientId, clientSecret, fetch: desk.fetch })());
      assert.equal(desk.sent.length, 3);
      if (error instanceof AtlasError) return;
      assert.ok(error instanceof TypeError);
      assert.equal(error.message, "Cannot get an access token: cloud.mongodb.com did not answer");
      assert.ok(error.cause instanceof TypeError);
    });
  });
}

test("createTokenSource() lets the mint of 64 waiting calls be reset once", async () => {
  await withTimers({}, async () => {
    const desk = createDesk((number) => number === 1 ? lost() : minted("t"));
    const token = createTokenSource({ clientId, clientSecret, fetch: desk.fetch });
    const tokens = await Promise.all(Array.from({ length: 64 }, () => token()));
    assert.deepEqual(new Set(tokens), new Set(["t"]));
    assert.equal(desk.sent.length, 2);
  });
});

test("createTokenSource() lets a bug in the caller's fetch through, at the first try", async () => {
  const bug = new TypeError("no mock for this URL");
  const desk = createDesk(() => Promise.reject(bug));
  assert.equal(await reasonOf(createTokenSource({ clientId, clientSecret, fetch: desk.fetch })()), bug);
  assert.equal(desk.sent.length, 1);
});

test("createTokenSource() makes AtlasErrors of OAuth's errors, with a hint", async () => {
  const desk = createDesk(() =>
    Response.json({ error: "invalid_client", error_description: "Invalid credentials provided." }, { status: 401 })
  );
  const error = await refusalOf(createTokenSource({ clientId, clientSecret, fetch: desk.fetch }));
  assert.equal(error.status, 401);
  assert.equal(error.code, "invalid_client");
  assert.equal(error.detail, "Invalid credentials provided.");
  assert.match(error.hint ?? "", /secret/);
  assert.match(error.message, /^401 invalid_client at \/api\/oauth\/token: Invalid credentials provided\. Check /);
  assert.equal(desk.sent.length, 1);
});

test("createTokenSource() makes an AtlasError of the endpoint's 429, with a hint to share tokens", async () => {
  const body = { error: 429, reason: "Too Many Requests", errorCode: "RATE_LIMITED", detail: "Too many tokens." };
  const desk = createDesk(() => Response.json(body, { status: 429, headers: { "retry-after": "17" } }));
  const error = await refusalOf(createTokenSource({ clientId, clientSecret, fetch: desk.fetch }));
  assert.equal(error.status, 429);
  assert.equal(error.code, "RATE_LIMITED");
  assert.match(error.hint ?? "", /17 s.*tokenStore/);
  assert.equal(desk.sent.length, 1);
});

test("createTokenSource() makes AtlasErrors of other answers that are no success", async () => {
  for (
    const response of [
      new Response("<html><title>Not Implemented</title>", { status: 501 }),
      new Response(null, { status: 500 }),
      new Response('{ "error": ', { status: 400 }),
    ]
  ) {
    const desk = createDesk(() => response);
    const error = await refusalOf(createTokenSource({ clientId, clientSecret, fetch: desk.fetch }));
    assert.equal(error.status, response.status);
    assert.equal(desk.sent.length, 1);
  }
});

test("createTokenSource() makes an AtlasError of a success without a usable token", async () => {
  const bodies: (string | null)[] = [
    ...["", "hidden\r\nx-evil: 1", "hidden\n", "hid den", "hiddën", "hidden\0", 5, null, ["hidden"], { hidden: 1 }]
      .map((token) => JSON.stringify({ access_token: token, expires_in: 3600, token_type: "Bearer" })),
    "{}",
    "null",
    '"hidden"',
    "[]",
    "hidden",
    '{ "access_token": "hidden',
    " ".repeat(300 * 1024) + '{ "access_token": "hidden" }',
    "",
    null,
  ];
  for (const body of bodies) {
    const store = new Map<string, string>();
    const desk = createDesk((count) => count === 1 ? new Response(body) : minted("t2"));
    const token = createTokenSource({ clientId, clientSecret, store, fetch: desk.fetch });
    const error = await refusalOf(token);
    assert.equal(error.status, 200);
    assert.match(error.message, /token/);
    assert.ok(!inspect(error, { showHidden: true, depth: Infinity }).includes("hid"), String(body));
    assert.equal(store.size, 0);
    assert.equal(await token(), "t2");
  }
});

test("createTokenSource() follows no redirect of the endpoint", async () => {
  let followed = 0;
  await serving((_request, response) => {
    followed++;
    response.setHeader("content-type", "application/json");
    response.end('{ "access_token": "stolen" }');
  }, async (other) => {
    for (const status of [301, 302, 303, 307, 308]) {
      for (const location of [`${other}/token`, "/again"]) {
        await serving((request, response) => {
          if (request.url === "/again") followed++;
          response.writeHead(status, { location }).end();
        }, async (url) => {
          const error = await refusalOf(createTokenSource({ clientId, clientSecret, tokenUrl: `${url}/token` }));
          assert.equal(error.status, status);
        });
      }
    }
  });
  assert.equal(followed, 0);
});

test("createTokenSource() names the host that did not answer, with the runtime's error as cause", async () => {
  await serving((request) => request.socket.destroy(), async (url) => {
    const error = await reasonOf(createTokenSource({ clientId, clientSecret, tokenUrl: `${url}/token` })());
    assert.ok(error instanceof TypeError);
    assert.ok(error.message.includes(new URL(url).host), error.message);
    assert.ok(error.cause instanceof Error);
  });
});

test("createTokenSource() replaces a refused token once for all who had it", async () => {
  const desk = createDesk();
  const token = createTokenSource({ clientId, clientSecret, fetch: desk.fetch });
  const refused = await token();
  const tokens = await Promise.all([token({ refused }), token({ refused }), token(), token({ refused })]);
  assert.deepEqual(tokens, ["t2", "t2", "t2", "t2"]);
  assert.equal(await token({ refused }), "t2"); // a late 401 to the first token
  assert.equal(await token({ refused: "another" }), "t2");
  assert.equal(desk.sent.length, 2);
});

test("createTokenSource() does not hand a refused token out again when its mint fails", async () => {
  const desk = createDesk((count) => count === 2 ? new Response(null, { status: 500 }) : minted(`t${count}`));
  const token = createTokenSource({ clientId, clientSecret, fetch: desk.fetch });
  const refused = await token();
  await reasonOf(token({ refused }));
  assert.equal(await token(), "t3");
});

test("createTokenSource() mints once where the endpoint gives the refused token again", async () => {
  const desk = createDesk(() => minted("same"));
  const token = createTokenSource({ clientId, clientSecret, fetch: desk.fetch });
  const refused = await token();
  const again = await Promise.all([token({ refused }), token({ refused }), token({ refused })]);
  assert.deepEqual(again, ["same", "same", "same"]);
  assert.equal(desk.sent.length, 2);
});

test("createTokenSource() takes the token that another process put in the store for a refused one", async () => {
  const store = new Map<string, string>();
  const [ours, theirs] = [
    createDesk((count) => minted(`ours${count}`)),
    createDesk((count) => minted(`theirs${count}`)),
  ];
  const token = createTokenSource({ clientId, clientSecret, store, fetch: ours.fetch });
  const other = createTokenSource({ clientId, clientSecret, store, fetch: theirs.fetch });
  assert.equal(await token(), "ours1");
  assert.equal(await other(), "ours1");
  assert.equal(await other({ refused: "ours1" }), "theirs1");
  assert.equal(await token({ refused: "ours1" }), "theirs1");
  assert.equal(await token(), "theirs1");
  assert.equal(ours.sent.length, 1);
  assert.equal(theirs.sent.length, 1);
});

test("createTokenSource() does not give a refused token back that an earlier renewal finds in the store", async () => {
  const gate = createGate();
  const stored = JSON.stringify({ token: "t0", end: Date.now() + 3_600_000 });
  const store: TokenStore = {
    async get() {
      await gate.opened;
      return stored;
    },
    set() {},
  };
  const desk = createDesk();
  const token = createTokenSource({ clientId, clientSecret, store, fetch: desk.fetch });
  const early = token();
  const late = token({ refused: "t0" }); // refused to another of our calls, which had it from elsewhere
  gate.open();
  assert.equal(await early, "t0");
  assert.equal(await late, "t1");
  assert.equal(desk.sent.length, 1);
});

test("createTokenSource() shows no secret: not in itself, not in its errors", async () => {
  const basic = btoa(`${clientId}:${clientSecret}`);
  const quoting = `No entry for Authorization: Basic ${basic}`;
  const answers: (() => Response)[] = [
    () => Response.json({ error: "invalid_client", error_description: quoting }, { status: 401 }),
    () => Response.json({ error: 400, errorCode: quoting, detail: quoting, parameters: [quoting] }, { status: 400 }),
    () => new Response(quoting, { status: 500 }),
    () => new Response(`<title>${quoting}</title>`, { status: 403, headers: { "x-error-code": quoting } }),
    () => minted("a token"),
  ];
  for (const answer of answers) {
    const token = createTokenSource({ clientId, clientSecret, fetch: createDesk(answer).fetch });
    const error = await refusalOf(token);
    const shown = [error, token, JSON.stringify(error)].map((value) => inspect(value, { depth: Infinity })).join();
    for (const secret of [clientSecret, basic]) assert.ok(!shown.includes(secret), shown);
  }
  const failing = createTokenSource({ clientId, clientSecret, fetch: () => Promise.reject(new TypeError("failed")) });
  const error = await reasonOf(failing());
  assert.ok(!inspect(error, { depth: Infinity }).includes(clientSecret));
});
