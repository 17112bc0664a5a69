// Where a call leads, for tests of walks: the path that it would touch, or why its walk fails other than by something missing.
import { Errno } from "../../../dist/abi/errno.js";
import { Last } from "../../../dist/kernel/fs/index.js";

export function leadsTo(fs, who, path, follow) {
  const located = fs.locate(who, path, follow ? Last.Follow : Last.Entry);
  if (typeof located === "number") return located;
  const { found, path: where } = located;
  return typeof found === "number" && found !== -Errno.ENOENT ? found : where;
}
