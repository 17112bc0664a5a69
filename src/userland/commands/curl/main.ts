/** Owns `curl`, for http, https and files of the machine, over Node's own clients: its options, and one transfer per URL. */
import { CommandFailure, type Command } from "../../command.js";
import { parseOptions } from "../../support/options.js";
import { manual } from "./failures.js";
import { Transfer } from "./transfer.js";

const longOptions = {
  silent: "s",
  "show-error": "S",
  fail: "f",
  "fail-with-body": "failBody",
  "request=": "X",
  "data=": "d",
  "data-raw=": "raw",
  "data-binary=": "binary",
  "data-ascii=": "d",
  "data-urlencode=": "encode",
  "json=": "json",
  "header=": "H",
  "output=": "o",
  "remote-name": "O",
  "output-dir=": "dir",
  "create-dirs": "create",
  location: "L",
  include: "i",
  head: "I",
  "write-out=": "w",
  "user=": "u",
  "user-agent=": "A",
  "referer=": "e",
  insecure: "k",
  verbose: "v",
  get: "G",
  "max-time=": "m",
  "connect-timeout=": "connect",
  "cookie=": "b",
  "upload-file=": "T",
  "form=": "F",
  "no-buffer": "N",
  "retry=": "retry",
  "retry-delay=": "retryDelay",
  compressed: "compressed",
  "url=": "url",
  "max-redirs=": "redirs",
  "oauth2-bearer=": "bearer",
  "http1.1": "h1",
  "no-progress-meter": "s",
  "progress-bar": "#",
  globoff: "g",
  "range=": "r",
  "dump-header=": "D",
  "noproxy=": "noproxy",
  "proxy=": "x",
  "cacert=": "cacert",
  "cookie-jar=": "c",
  "fail-early": "failEarly",
  "location-trusted": "L",
  http1: "h1",
  "http1.0": "h1",
  http2: "h2",
  ipv4: "4",
  ipv6: "6",
  "remote-time": "remoteTime",
  "tlsv1.2": "tls",
  "proto=": "proto",
};

export const main: Command = async (context) => {
  const options = parseOptions(
    context,
    "sSfX:d:D:H:o:OLiIw:u:A:e:kvGm:b:c:T:F:gN#x:0146r:j",
    longOptions,
    { status: 2 },
  );
  const urls = [...options.all("url"), ...options.operands];
  if (urls.length === 0) throw new CommandFailure("no URL specified!", 2, manual);
  let status = 0;
  const outputs = options.list.filter(({ key }) => key === "o" || key === "O");
  for (const [index, url] of urls.entries()) {
    const transfer = new Transfer(context, options, outputs[index]);
    status = await transfer.run(url);
  }
  return status;
};
