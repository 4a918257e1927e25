// The official OpenAI SDK for Node, unchanged but for base URL and key.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import OpenAI from "openai";
import { open } from "./house.mjs";

let house, client;
const weather = {
  type: "function",
  function: {
    name: "get_weather",
    parameters: { type: "object", properties: { city: { type: "string" } }, required: ["city"], additionalProperties: false },
  },
};
const say = (content) => [{ role: "user", content }];

before(async () => {
  house = await open();
  client = new OpenAI({ baseURL: house.baseURL, apiKey: house.apiKey, maxRetries: 0 });
});
after(() => house?.close());

test("a whole answer with usage and cost", async () => {
  const answer = await client.chat.completions.create({ model: house.model, messages: say("Say: good morning") });
  assert.equal(answer.object, "chat.completion");
  assert.equal(answer.choices[0].message.content, "good morning");
  assert.equal(answer.choices[0].finish_reason, "stop");
  assert.equal(answer.usage.total_tokens, answer.usage.prompt_tokens + answer.usage.completion_tokens);
  assert.equal(typeof answer.usage.cost, "number");
});

test("a stream whose last chunk carries the usage", async () => {
  const stream = await client.chat.completions.create({ model: house.model, messages: say("Say: good evening"), stream: true });
  let text = "";
  let last;
  for await (const chunk of stream) {
    text += chunk.choices[0]?.delta?.content ?? "";
    last = chunk;
  }
  assert.equal(text, "good evening");
  assert.ok(last.usage.completion_tokens > 0);
});

test("a tool call, streamed through the SDK's helper", async () => {
  const runner = client.chat.completions.stream({
    model: house.model,
    messages: say("What is the weather in Paris? Use get_weather."),
    tools: [weather],
    tool_choice: "required",
  });
  const answer = await runner.finalChatCompletion();
  const [call] = answer.choices[0].message.tool_calls;
  assert.equal(call.function.name, "get_weather");
  assert.equal(typeof JSON.parse(call.function.arguments).city, "string");
});

test("structured output", async () => {
  const schema = { type: "object", properties: { n: { type: "integer" } }, required: ["n"], additionalProperties: false };
  const answer = await client.chat.completions.create({
    model: house.model,
    messages: say("A number, please."),
    response_format: { type: "json_schema", json_schema: { name: "number", strict: true, schema } },
  });
  assert.ok(Number.isInteger(JSON.parse(answer.choices[0].message.content).n));
});

test("a picture as input", async () => {
  const url = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
  const content = [{ type: "text", text: "Say: a dot" }, { type: "image_url", image_url: { url } }];
  const answer = await client.chat.completions.create({ model: "simulated/parrot", messages: [{ role: "user", content }] });
  assert.ok(answer.choices[0].message.content.length > 0);
});

test("models are listed", async () => {
  const listed = [];
  for await (const model of client.models.list()) listed.push(model.id);
  assert.ok(listed.includes(house.model));
});

test("errors are the SDK's own classes", async () => {
  const stranger = new OpenAI({ baseURL: house.baseURL, apiKey: "sk-nobody", maxRetries: 0 });
  await assert.rejects(stranger.chat.completions.create({ model: house.model, messages: say("x") }), OpenAI.AuthenticationError);
  await assert.rejects(client.chat.completions.create({ model: "no/such-model", messages: say("x") }), (error) => {
    assert.ok(error instanceof OpenAI.APIError);
    assert.ok([400, 404].includes(error.status));
    return true;
  });
  await assert.rejects(client.chat.completions.create({ model: house.model, messages: [] }), OpenAI.BadRequestError);
});
