// A Farebox with simulated vendors on a free port and in a home of its own, for one test file.
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const ROOT = new URL("../..", import.meta.url).pathname;
const WAIT_MS = 60_000;

export async function open() {
  const home = mkdtempSync(join(tmpdir(), "farebox-"));
  const environ = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/_API_KEY$|^FAREBOX_/.test(name)));
  const child = spawn(join(ROOT, ".venv/bin/farebox"), ["serve", "--dev", "--demo", "--port", "0"], {
    env: { ...environ, FAREBOX_HOME: home },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let log = "";
  const close = () =>
    new Promise((resolve) => {
      child.once("exit", () => {
        rmSync(home, { recursive: true, force: true });
        resolve();
      });
      child.kill("SIGTERM");
    });
  const started = new Promise((resolve, reject) => {
    const late = setTimeout(() => reject(new Error(`no start within ${WAIT_MS} ms:\n${log}`)), WAIT_MS);
    const read = (data) => {
      log += data;
      const key = log.match(/sk-farebox-v1-[0-9A-Za-z-]{61}/);
      const address = log.match(/http:\/\/127\.0\.0\.1:\d+/);
      const model = log.match(/"model":"([^"]+)"/);
      if (key && address && model) {
        clearTimeout(late);
        resolve({ baseURL: `${address[0]}/v1`, apiKey: key[0], model: model[1], close });
      }
    };
    child.stdout.on("data", read);
    child.stderr.on("data", read);
    child.once("exit", (code) => reject(new Error(`farebox ended with ${code}:\n${log}`)));
  });
  return started;
}
