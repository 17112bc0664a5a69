// e2b: a server that its SDK speaks to; here the SDK's part is played by two requests.
import { serveE2b } from "secure-exec/e2b";

const { url, apiKey, close } = await serveE2b();
const made = await fetch(`${url}/sandboxes`, {
  method: "POST",
  headers: { "content-type": "application/json", "x-api-key": apiKey },
  body: JSON.stringify({ templateID: "base", timeout: 60 }),
});
const { sandboxID, envdAccessToken } = (await made.json()) as Record<string, string>;
const listed = await fetch(`${url}/filesystem.Filesystem/ListDir`, {
  method: "POST",
  headers: {
    "content-type": "application/json",
    "e2b-sandbox-id": sandboxID!,
    "x-access-token": envdAccessToken!,
  },
  body: JSON.stringify({ path: "/", depth: 1 }),
});
const { entries } = (await listed.json()) as { entries: { name: string }[] };
console.log(
  made.status,
  entries.some(({ name }) => name === "home"),
);
await close();
