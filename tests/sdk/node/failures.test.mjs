// The official OpenAI SDK for Node: every failure is the class its users catch, and leaving stops the vendor.
import assert from "node:assert/strict";
import { test } from "node:test";
import OpenAI from "openai";
import { baseURL, CHAT, client, say, vendorRequests } from "./house.mjs";

const FAILURES = [
  ["refused", OpenAI.BadRequestError, 400],
  ["context", OpenAI.BadRequestError, 400],
  ["filtered", OpenAI.PermissionDeniedError, 403],
  ["large", OpenAI.APIError, 413],
  ["limited", OpenAI.RateLimitError, 429],
  ["failed", OpenAI.InternalServerError, 502],
  ["overloaded", OpenAI.InternalServerError, 503],
  ["late", OpenAI.InternalServerError, 504],
];

for (const [play, kind, status] of FAILURES)
  for (const stream of [false, true])
    test(`a vendor's failure: ${play}, ${stream ? "streamed" : "whole"}`, async () => {
      const model = `test/${play}-${stream ? "stream" : "whole"}`;
      await assert.rejects(client.chat.completions.create({ model, messages: say("Hello"), stream }), (error) => {
        assert.ok(error instanceof kind, error.constructor.name);
        assert.equal(error.status, status);
        assert.equal(typeof error.error.metadata.error_type, "string");
        if (status === 429) assert.ok(Number(error.headers.get("retry-after")) >= 1);
        return true;
      });
    });

test("the caller's mistakes", async () => {
  const stranger = new OpenAI({ baseURL, apiKey: "sk-nobody", maxRetries: 0 });
  await assert.rejects(stranger.chat.completions.create({ model: CHAT, messages: say("x") }), OpenAI.AuthenticationError);
  const unknown = { model: "nobody/nothing", messages: say("x") };
  await assert.rejects(client.chat.completions.create(unknown), OpenAI.NotFoundError);
  await assert.rejects(client.chat.completions.create({ ...unknown, stream: true }), OpenAI.NotFoundError);
  await assert.rejects(client.chat.completions.create({ model: CHAT, messages: say("x"), temperature: "hot" }), (error) => {
    assert.ok(error instanceof OpenAI.BadRequestError);
    assert.equal(error.param, "temperature");
    return true;
  });
});

for (const [play, word] of [["broken", "upstream_error"], ["cut", "upstream_cut"]])
  test(`a stream that breaks: ${play}`, async () => {
    const stream = await client.chat.completions.create({ model: `test/${play}-stream`, messages: say("Hello"), stream: true });
    let text = "";
    await assert.rejects(
      async () => {
        for await (const chunk of stream) text += chunk.choices[0]?.delta?.content ?? "";
      },
      (error) => {
        assert.ok(error instanceof OpenAI.APIError);
        assert.equal(error.error.metadata.error_type, word);
        return true;
      },
    );
    assert.ok(text.length > 0);
  });

test("nobody at the address", async () => {
  const lost = new OpenAI({ baseURL: "http://127.0.0.1:1/v1", apiKey: "x", maxRetries: 0 });
  await assert.rejects(lost.chat.completions.create({ model: CHAT, messages: say("x") }), OpenAI.APIConnectionError);
});

async function leftAfterMs(scope, leftMs) {
  for (const end = Date.now() + 5_000; Date.now() < end; ) {
    const entry = (await vendorRequests()).filter((each) => each.scope === scope).at(-1);
    if (entry?.ended_s) {
      assert.equal(entry.outcome, "client left");
      return entry.ended_s * 1000 - leftMs;
    }
  }
  throw new Error("the vendor was never left");
}

test("leaving a stream stops the vendor", async () => {
  const stream = await client.chat.completions.create({ model: "test/endless-stream", messages: say("Hello"), stream: true });
  for await (const chunk of stream) {
    assert.ok(chunk.id);
    break;
  }
  assert.ok((await leftAfterMs("endless-stream", Date.now())) < 1_000);
});

test("an aborted call stops the vendor", async () => {
  const abort = new AbortController();
  const stream = await client.chat.completions.create(
    { model: "test/endless-whole", messages: say("Hello"), stream: true },
    { signal: abort.signal },
  );
  for await (const _ of stream) abort.abort();
  assert.ok((await leftAfterMs("endless-whole", Date.now())) < 1_000);
});

test("a caller's timeout stops the vendor", async () => {
  const call = client.chat.completions.create({ model: "test/lazy-whole", messages: say("Hello") }, { timeout: 300 });
  await assert.rejects(call, OpenAI.APIConnectionTimeoutError);
  assert.ok((await leftAfterMs("lazy-whole", Date.now())) < 1_000);
});
