// Playgrounds that end with the test file, and what a browser's page and a plain client say to one.
import http from "node:http";
import { servePlayground } from "../../dist/playground/server.js";
import { exampleTools } from "../../dist/playground/watched-tools.js";
import { atFileEnd } from "./file-end.mjs";

const open = new Set();
atFileEnd(async () => {
  const playgrounds = [...open];
  open.clear();
  await Promise.all(playgrounds.map((served) => served.close()));
});

export async function playground({ runtime = {}, tools = exampleTools, source = "" } = {}) {
  const served = await servePlayground({
    port: 0,
    runtime,
    tools,
    example: { name: "example.mjs", source },
  });
  open.add(served);
  return served;
}

/** One request, with exactly these headers beside Host; the answer with its text. */
export function request(url, { method = "GET", headers = {}, body = "" } = {}) {
  const { hostname, port, pathname, search } = new URL(url);
  return new Promise((resolve, reject) => {
    const sent = http.request(
      { hostname, port, path: pathname + search, method, headers, agent: false },
      (response) => {
        let text = "";
        response.setEncoding("utf8").on("data", (part) => (text += part));
        response.on("end", () =>
          resolve({ status: response.statusCode, headers: response.headers, text }),
        );
      },
    );
    sent.on("error", reject);
    sent.end(body);
  });
}

const json = { "content-type": "application/json" };

/** What a request of the page answers. */
export async function ask({ url }, name, body = {}) {
  const { status, text } = await request(url + name, {
    method: "POST",
    headers: json,
    body: JSON.stringify(body),
  });
  return { status, answer: text.startsWith("{") ? JSON.parse(text) : text };
}

/** Reads events until `until` answers something for one, and answers that. `last`: what was seen already. */
export function events({ url }, until, last = 0) {
  return new Promise((resolve, reject) => {
    const headers = last === 0 ? {} : { "last-event-id": String(last) };
    const sent = http.get(`${url}events`, { headers, agent: false }, (response) => {
      let rest = "";
      response.setEncoding("utf8").on("data", (part) => {
        const blocks = (rest + part).split("\n\n");
        rest = blocks.pop();
        for (const block of blocks) {
          const [, id, data] = /^(?:id: (\d+)\n)?data: (.*)$/.exec(block) ?? [];
          if (data === undefined) return reject(new Error(`no event: ${block}`));
          const found = until(JSON.parse(data), Number(id ?? 0));
          if (found === undefined) continue;
          sent.destroy();
          return resolve(found);
        }
      });
      response.on("close", () => reject(new Error("the events ended")));
    });
    sent.on("error", (error) => reject(error));
  });
}

/** Runs a program and answers its output and outcome. */
export async function ran(served, source, options = {}) {
  const asked = { source, language: "js", stdin: "", timeoutMs: 60_000, ...options };
  const { status, answer } = await ask(served, "run", asked);
  if (status !== 200) throw new Error(JSON.stringify(answer));
  const output = { stdout: "", stderr: "" };
  return events(served, (event) => {
    if (event.run !== answer.run) return undefined;
    if (event.kind === "output") output[event.stream] += event.text;
    return event.kind === "ended" ? { ...output, outcome: event.outcome } : undefined;
  });
}
