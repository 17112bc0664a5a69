/**
 * Serves host_user: who the process is, and the tables of users and groups.
 * Untrusted: every argument.
 */
import { WasiErrno, WasiError } from "./abi.js";
import type { Import, ImportTable, WasiContext } from "./context.js";
import { encodeText } from "./memory.js";

const unchanged = 0xffffffff;

export function hostUser(context: WasiContext): ImportTable {
  const { uid, gid } = context.system.identity;
  return {
    ...ids(context, "uid", uid),
    ...ids(context, "gid", gid),
    ...groups(context, gid),
    ...entries(context, "pw", "/etc/passwd", "uid"),
    ...entries(context, "gr", "/etc/group", "gid"),
  };
}

/** What is asked and said about one's own user, or one's own group. */
function ids({ memory }: WasiContext, kind: "uid" | "gid", own: number): ImportTable {
  const give = (pointer: number) => memory.setU32(pointer, own);
  /** One may only become who one is. */
  const become = (...wanted: number[]): void => {
    if (wanted.some((id) => id >>> 0 !== own && id >>> 0 !== unchanged))
      throw new WasiError(WasiErrno.EPERM);
  };
  return {
    [`get${kind}`]: give,
    [`gete${kind}`]: give,
    [`getres${kind}`](real: number, effective: number, saved: number) {
      for (const pointer of [real, effective, saved]) memory.setU32(pointer, own);
    },
    [`set${kind}`]: become,
    [`sete${kind}`]: become,
    [`setre${kind}`]: become,
    [`setres${kind}`]: become,
  };
}

function groups({ memory }: WasiContext, gid: number): ImportTable {
  return {
    getgroups(size: number, pointer: number, count: number) {
      if (size >>> 0 >= 1) memory.setU32(pointer, gid);
      else if (size !== 0) return WasiErrno.EINVAL;
      memory.setU32(count, 1);
      return 0;
    },
    setgroups: () => WasiErrno.EPERM,
  };
}

/** Lines of a table by id, by name and in order: getpwuid, getpwnam, getpwent. */
function entries(
  { memory, system }: WasiContext,
  prefix: "pw" | "gr",
  file: string,
  id: "uid" | "gid",
): ImportTable {
  const lines = (): string[] =>
    system.fs
      .readFileSync(file, "utf8")
      .split("\n")
      .filter((line) => line !== "");
  const answer = (
    line: string | undefined,
    buffer: number,
    size: number,
    length: number,
  ): number | void => {
    if (line === undefined) return WasiErrno.ENOENT;
    const bytes = encodeText(line);
    memory.setU32(length, bytes.byteLength);
    if (bytes.byteLength > size >>> 0) return WasiErrno.ERANGE;
    memory.set(buffer, bytes);
  };
  const byId: Import = (wanted: number, buffer: number, size: number, length: number) => {
    const line = lines().find((each) => each.split(":")[2] === String(wanted >>> 0));
    return answer(line, buffer, size, length);
  };
  const byName: Import = (
    pointer: number,
    nameSize: number,
    buffer: number,
    size: number,
    length: number,
  ) => {
    const name = memory.path(pointer, nameSize);
    const line = lines().find((each) => each.split(":")[0] === name);
    return answer(line, buffer, size, length);
  };
  const byIndex: Import = (index: number, buffer: number, size: number, length: number) =>
    answer(lines()[index >>> 0], buffer, size, length);
  return {
    [`get${prefix}${id}`]: byId,
    [`get${prefix}nam`]: byName,
    [`get${prefix}ent`]: byIndex,
  };
}
