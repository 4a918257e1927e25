// The official OpenAI SDK for Node, unchanged but for base URL and key: generations.
import assert from "node:assert/strict";
import { test } from "node:test";
import OpenAI from "openai";
import { CHAT, client, demo, say, tool, vendorRequests } from "./house.mjs";

const weather = tool("get_weather", "city");
const clock = tool("read_clock", "place");
const create = (rest) => client.chat.completions.create({ model: CHAT, ...rest });

async function gathered(stream) {
  const chunks = [];
  for await (const chunk of stream) chunks.push(chunk);
  const text = chunks.flatMap((chunk) => chunk.choices.map((choice) => choice.delta?.content ?? "")).join("");
  return { chunks, text };
}

test("a whole answer with usage and cost", async () => {
  const answer = await create({ messages: say("Say: good morning") });
  assert.equal(answer.object, "chat.completion");
  assert.equal(answer.model, CHAT);
  assert.equal(answer.choices[0].message.content, "good morning");
  assert.equal(answer.choices[0].finish_reason, "stop");
  assert.equal(answer.usage.total_tokens, answer.usage.prompt_tokens + answer.usage.completion_tokens);
  assert.ok(answer.usage.cost > answer.usage.cost_details.upstream_inference_cost);
});

for (const options of [undefined, { include_usage: true }])
  test(`a stream ends with usage and cost: ${JSON.stringify(options)}`, async () => {
    const { chunks, text } = await gathered(await create({ messages: say("Say: good evening"), stream: true, stream_options: options }));
    assert.equal(text, "good evening");
    assert.deepEqual(chunks.map((chunk) => Boolean(chunk.usage)), [...Array(chunks.length - 1).fill(false), true]);
    assert.ok(chunks.at(-1).usage.cost > 0);
  });

for (const role of ["system", "developer"])
  test(`instructions (${role}) and several turns`, async () => {
    const messages = [{ role, content: "Be terse." }, ...say("Say: one"), { role: "assistant", content: "one" }, ...say("Say: two")];
    assert.equal((await create({ messages })).choices[0].message.content, "two");
    const sent = JSON.parse((await vendorRequests()).at(-1).body).messages;
    assert.deepEqual(sent.map((message) => message.content), messages.map((message) => message.content));
  });

test("parallel tool calls streamed through the helper, and their results", async () => {
  const messages = say("Weather and clock in Lisbon? Use get_weather and read_clock.");
  const tools = [weather, clock];
  const message = await client.chat.completions.stream({ model: CHAT, messages, tools }).finalMessage();
  assert.deepEqual(message.tool_calls.map((call) => call.function.name), ["get_weather", "read_clock"]);
  for (const call of message.tool_calls) assert.equal(typeof JSON.parse(call.function.arguments), "object");
  const results = message.tool_calls.map((call, at) => ({ role: "tool", tool_call_id: call.id, content: `result ${at}` }));
  const answer = await create({ messages: [...messages, message, ...results], tools });
  assert.match(answer.choices[0].message.content, /result 0; result 1/);
});

test("a tool that the SDK runs itself", async () => {
  let asked;
  const run = { ...weather, function: { ...weather.function, parse: JSON.parse, function: (given) => ((asked = given), "21 degrees") } };
  const runner = client.chat.completions.runTools({ model: CHAT, messages: say("Use get_weather for Oslo."), tools: [run] });
  assert.match(await runner.finalContent(), /21 degrees/);
  assert.equal(typeof asked.city, "string");
});

test("a tool is forced or forbidden", async () => {
  const names = async (choice) => {
    const answer = await create({ messages: say("Hello."), tools: [weather, clock], tool_choice: choice });
    return (answer.choices[0].message.tool_calls ?? []).map((call) => call.function.name);
  };
  assert.deepEqual(await names({ type: "function", function: { name: "read_clock" } }), ["read_clock"]);
  assert.deepEqual(await names("required"), ["get_weather"]);
  assert.deepEqual(await names("none"), []);
});

test("structured output is parsed, and JSON mode", async () => {
  const schema = { type: "object", properties: { n: { type: "integer" } }, required: ["n"], additionalProperties: false };
  const response_format = { type: "json_schema", json_schema: { name: "number", strict: true, schema } };
  const answer = await client.chat.completions.parse({ model: CHAT, messages: say("A number."), response_format });
  assert.ok(Number.isInteger(JSON.parse(answer.choices[0].message.content).n));
  const stream = await create({ messages: say("A number."), response_format, stream: true });
  assert.ok(Number.isInteger(JSON.parse((await gathered(stream)).text).n));
  const free = await create({ messages: say("Some JSON."), response_format: { type: "json_object" } });
  assert.equal(typeof JSON.parse(free.choices[0].message.content), "object");
});

test("pictures, sounds and files", async () => {
  const content = [
    { type: "text", text: "What is in these?" },
    { type: "image_url", image_url: { url: "https://example.com/bus.jpg" } },
    { type: "input_audio", input_audio: { data: "UklGRg==", format: "wav" } },
    { type: "file", file: { filename: "note.pdf", file_data: "data:application/pdf;base64,JVBERi0=" } },
  ];
  const text = (await create({ messages: say(content) })).choices[0].message.content;
  assert.match(text, /an image at https:\/\/example\.com\/bus\.jpg/);
  assert.match(text, /a sound of 4 bytes/);
  assert.match(text, /a file of 5 bytes/);
});

test("logprobs, several choices, limits, stop and seed", async () => {
  const answer = await create({ messages: say("Tell me about trains."), n: 2, logprobs: true, top_logprobs: 1, max_tokens: 4, seed: 7 });
  assert.deepEqual(answer.choices.map((choice) => choice.index), [0, 1]);
  for (const choice of answer.choices) {
    assert.equal(choice.finish_reason, "length");
    assert.equal(choice.logprobs.content.length, 4);
  }
  const stopped = await create({ messages: say("Say: red, green"), stop: ", green" });
  assert.equal(stopped.choices[0].message.content, "red");
});

for (const spelling of ["reasoning_content", "reasoning", "think"])
  test(`reasoning has one spelling: ${spelling}`, async () => {
    const answer = await create({ model: `test/think-${spelling}-whole`, messages: say("Say: done") });
    assert.equal(answer.choices[0].message.content, "done");
    assert.match(answer.choices[0].message.reasoning, /^Let me think this through\./);
    const stream = await create({ model: `test/think-${spelling}-stream`, messages: say("Say: done"), stream: true });
    const { chunks, text } = await gathered(stream);
    assert.equal(text, "done");
    const thought = chunks.flatMap((chunk) => chunk.choices.map((choice) => choice.delta.reasoning ?? "")).join("");
    assert.equal(thought, answer.choices[0].message.reasoning);
  });

test("providers, fallback models and raw headers", async () => {
  const chosen = await create({ messages: say("Say: hi"), provider: { order: ["beta"], allow_fallbacks: false } });
  assert.equal(chosen.provider, "Beta");
  const call = create({ model: "test/overloaded-whole", messages: say("Say: hi"), models: [CHAT] });
  const { data, response } = await call.withResponse();
  assert.equal(data.model, CHAT);
  assert.equal(response.headers.get("x-generation-id"), data.id);
});

test("legacy completions", async () => {
  const answer = await client.completions.create({ model: CHAT, prompt: "Say: good morning" });
  assert.equal(answer.choices[0].text, "good morning");
  const stream = await client.completions.create({ model: CHAT, prompt: "Say: good morning", stream: true });
  let text = "";
  for await (const chunk of stream) text += chunk.choices[0]?.text ?? "";
  assert.equal(text, "good morning");
});

test("embeddings as numbers and packed", async () => {
  const asked = { model: "test/embed", input: ["one", "two"], dimensions: 8 };
  const plain = await client.embeddings.create({ ...asked, encoding_format: "float" });
  const packed = await client.embeddings.create(asked); // the SDK asks for base64 and unpacks it
  assert.equal(plain.data.length, 2);
  plain.data.forEach((entry, at) =>
    entry.embedding.forEach((number, place) => assert.ok(Math.abs(number - packed.data[at].embedding[place]) < 1e-6)),
  );
});

test("models are listed and retrieved", async () => {
  const house = new OpenAI(demo);
  const listed = [];
  for await (const model of house.models.list()) listed.push(model.id);
  assert.ok(listed.includes("simulated/parrot"));
  assert.equal((await house.models.retrieve("simulated/parrot")).id, "simulated/parrot");
  await assert.rejects(house.models.retrieve("nobody/nothing"), OpenAI.NotFoundError);
});
