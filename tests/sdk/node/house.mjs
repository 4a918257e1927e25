// The house that the Python side opened: its address and key, and a door to the vendors behind it.
import OpenAI from "openai";

const told = (name) => {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set: these tests are started by tests/sdk/test_openai_node.py`);
  return value;
};

export const baseURL = told("HOUSE_URL");
export const demo = { baseURL: told("DEMO_URL"), apiKey: told("DEMO_KEY"), maxRetries: 0 };
export const client = new OpenAI({ baseURL, apiKey: told("HOUSE_KEY"), maxRetries: 0 });
export const CHAT = "test/chat";
export const say = (content) => [{ role: "user", content }];
export const vendorRequests = async () => (await (await fetch(`${told("VENDOR_URL")}/_sim/requests`)).json()).requests;

export const tool = (name, property) => ({
  type: "function",
  function: {
    name,
    strict: true,
    parameters: { type: "object", properties: { [property]: { type: "string" } }, required: [property], additionalProperties: false },
  },
});
