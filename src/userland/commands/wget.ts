/** Owns `wget`: one URL to one file, following redirects. */
import { CommandFailure, type Command } from "../command.js";
import { parseOptions } from "../support/options.js";
import { main as curl } from "./curl/main.js";

export const main: Command = (context) => {
  const options = parseOptions(context, "qO:cP:T:t:U:nvSi:", {
    quiet: "q",
    "output-document=": "O",
    "directory-prefix=": "P",
    "timeout=": "T",
    "tries=": "t",
    "user-agent=": "U",
    "header=": "header",
    "post-data=": "post",
    "no-check-certificate": "k",
    "no-verbose": "q",
    continue: "c",
    spider: "spider",
    "server-response": "S",
    "ca-certificate=": "ca",
    "content-disposition": "disposition",
    "show-progress": "progress",
    "progress=": "progress",
    "method=": "method",
    "body-data=": "post",
    "user=": "user",
    "password=": "password",
    "no-proxy": "noProxy",
    "max-redirect=": "redirects",
    "input-file=": "i",
  });
  const [url] = options.operands;
  if (url === undefined)
    throw new CommandFailure("missing URL", 1, "Usage: wget [OPTION]... [URL]...\n");
  const output = options.get("O");
  const name =
    new URL(url.includes("://") ? url : `http://${url}`).pathname.split("/").at(-1) || "index.html";
  const prefix = options.get("P");
  const target = output ?? (prefix === undefined ? name : `${prefix}/${name}`);
  const spider = options.has("spider");
  const argv = ["curl", "-sSfL", "-A", options.get("U") ?? "Wget/1.21"];
  // Only whether it is there: its head is asked for and goes nowhere.
  argv.push(...(spider ? ["-I", "-o", "/dev/null"] : ["-o", target]));
  if (options.has("ca")) argv.push("--cacert", options.get("ca")!);
  if (options.has("method")) argv.push("-X", options.get("method")!);
  if (options.has("redirects")) argv.push("--max-redirs", options.get("redirects")!);
  if (options.has("user"))
    argv.push("-u", `${options.get("user")}:${options.get("password") ?? ""}`);
  for (const header of options.all("header")) argv.push("-H", header);
  if (options.has("post")) argv.push("--data-raw", options.get("post")!);
  if (options.has("k")) argv.push("-k");
  if (options.has("T")) argv.push("-m", options.get("T")!);
  const quiet = options.has("q");
  const words = (text: string) => (quiet ? "" : text.replace(/^curl: \(\d+\) /, "wget: "));
  const inner = {
    ...context,
    argv: [...argv, url],
    name: "curl",
    writeError: (text: string) => context.writeError(words(text)),
  };
  return Promise.resolve(curl(inner)).then((status) => {
    if (spider && !quiet) {
      context.writeError(
        status === 0
          ? "Remote file exists.\n\n"
          : "Remote file does not exist -- broken link!!!\n\n",
      );
    }
    return status === 0 ? 0 : status === 22 ? 8 : status === 6 || status === 7 ? 4 : 1;
  });
};
