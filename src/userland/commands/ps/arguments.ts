/** Owns what `ps` is asked for: Unix, BSD and long options, mixed as people mix them. */
import { CommandExit, CommandFailure, type CommandContext } from "../../command.js";
import { idOf, nameTable } from "../../support/files.js";
import { aliases, type Column } from "./columns.js";

/** What the command line asks for. */
export interface Request {
  all: boolean;
  negated: boolean;
  pids: Set<number>;
  parents: Set<number>;
  names: Set<string>;
  users: Set<number>;
  groups: Set<number>;
  sessions: Set<number>;
  chosen: boolean;
  columns: { key: string; title?: string; width?: number }[];
  extra: boolean;
  sort: string[];
  headers: boolean;
  forest: boolean;
  bsd: boolean;
}

const formats: Record<string, string> = {
  plain: "pid,tty=TTY,time,ucmd=CMD",
  full: "user=UID,pid,ppid,c,stime,tty=TTY,time,cmd",
  extraFull: "user=UID,pid,ppid,c,sz,rss,psr,stime,tty=TTY,time,cmd",
  long: "f,s,uid,pid,ppid,c,pri,ni,addr,sz,wchan,tty=TTY,time,ucmd=CMD",
  jobs: "pid,pgid,sid,tty=TTY,time,ucmd=CMD",
  bsd: "pid,tty=TTY,stat,bsdtime,args",
  bsdUser: "user,pid,pcpu,pmem,vsz,rss,tty=TTY,stat,bsdstart,bsdtime,args",
  bsdLong: "f,uid,pid,ppid,pri,ni,vsz,rss,wchan,stat,tty=TTY,bsdtime,args",
  bsdJobs: "ppid,pid,pgid,sid,tty=TTY,tpgid,stat,uid,bsdtime,args",
};

/** The three ways of writing options, mixed as people do. */
export class ArgumentReader {
  readonly #request: Request = {
    all: false,
    negated: false,
    pids: new Set(),
    parents: new Set(),
    names: new Set(),
    users: new Set(),
    groups: new Set(),
    sessions: new Set(),
    chosen: false,
    columns: [],
    extra: false,
    sort: [],
    headers: true,
    forest: false,
    bsd: false,
  };
  #format = "";
  #at = 1;

  constructor(
    private readonly context: CommandContext,
    private readonly columns: Record<string, Column>,
  ) {}

  #fail(message: string): CommandFailure {
    this.context.writeError(`error: ${message}\n`);
    return new CommandFailure("see 'man ps' for the options it takes", 1);
  }

  read(): Request {
    const { argv } = this.context;
    for (; this.#at < argv.length; this.#at++) {
      const word = argv[this.#at]!;
      if (word.startsWith("--")) this.#long(word);
      else if (word.startsWith("-") && word.length > 1) this.#letters(word.slice(1), true);
      else if (/^[\d,]+$/.test(word)) this.#list("p", word);
      else this.#letters(word, false);
    }
    const request = this.#request;
    if (request.columns.length === 0)
      this.#columnsFrom(formats[this.#format || (request.bsd ? "bsd" : "plain")]!);
    else if (request.extra) {
      const added = request.columns.splice(0);
      this.#columnsFrom(formats["plain"]!);
      request.columns.splice(1, 0, ...added);
    }
    for (const text of request.sort) {
      const key = text.replace(/^[-+]/, "");
      if (this.columns[aliases[key] ?? key] === undefined)
        throw this.#fail("unknown sort specifier");
    }
    return request;
  }

  #long(word: string): void {
    const [, name = "", value] = /^--([^=]*)(?:=([^]*))?$/.exec(word)!;
    const argument = () => value ?? this.context.argv[++this.#at] ?? "";
    switch (name) {
      case "help":
        this.context.write("Usage: ps [options]\n");
        throw new CommandExit(0);
      case "version":
        this.context.write("ps from procps-ng (secure-exec) 4.0\n");
        throw new CommandExit(0);
      case "no-headers":
      case "no-heading":
      case "no-headings":
        this.#request.headers = false;
        return;
      case "headers":
      case "cumulative":
        return;
      case "forest":
        this.#request.forest = true;
        return;
      case "deselect":
        this.#request.negated = true;
        return;
      case "sort":
        this.#request.sort.push(...argument().split(","));
        return;
      case "format":
        return this.#columnsFrom(argument());
      case "pid":
        return this.#list("p", argument());
      case "ppid":
        return this.#list("ppid", argument());
      case "user":
      case "User":
        return this.#list("u", argument());
      case "group":
      case "Group":
        return this.#list("G", argument());
      case "sid":
        return this.#list("s", argument());
      case "quick-pid":
        return this.#list("p", argument());
      case "cols":
      case "columns":
      case "width":
      case "rows":
      case "lines":
        argument();
        return;
      default:
        throw this.#fail("unknown gnu long option");
    }
  }

  #letters(word: string, dashed: boolean): void {
    if (!dashed) this.#request.bsd = true;
    for (let at = 0; at < word.length; at++) {
      const letter = word[at]!;
      const takes = dashed ? "oOpCuUgGtsqk" : "oOptUkq";
      if (takes.includes(letter)) {
        const rest = word.slice(at + 1);
        const next = rest === "" ? this.context.argv[this.#at + 1] : rest;
        // ps -u alone is ps -f u, as an old habit has it.
        const none = next === undefined || (rest === "" && letter === "u" && next.startsWith("-"));
        if (none && letter !== "u") {
          throw this.#fail(
            `list of ${letter === "o" ? "format specifiers" : "process IDs"} must follow -${letter}`,
          );
        }
        if (none) this.#format = "bsdUser";
        else {
          if (rest === "") this.#at++;
          this.#withValue(letter, next);
        }
        return;
      }
      this.#plain(letter, dashed);
    }
  }

  #withValue(letter: string, value: string): void {
    if (letter === "o") return this.#columnsFrom(value);
    if (letter === "O") {
      this.#request.extra = true;
      return this.#columnsFrom(value);
    }
    if (letter === "k") {
      this.#request.sort.push(...value.split(","));
      return;
    }
    if (letter === "t") {
      this.#request.chosen = true;
      this.#request.all ||= value === "-" || value === "?";
      return;
    }
    this.#list({ U: "u", q: "p", g: "s" }[letter] ?? letter, value);
  }

  #plain(letter: string, dashed: boolean): void {
    const request = this.#request;
    if (dashed) {
      const format = { f: "full", F: "extraFull", l: "long", j: "jobs" }[letter];
      if (format !== undefined) this.#format = format;
      else if ("eAad".includes(letter)) request.all = true;
      else if (letter === "N") request.negated = true;
      else if (letter === "H") request.forest = true;
      else if (!"wLTmcMyVnx".includes(letter)) throw this.#fail("unsupported SysV option");
      return;
    }
    const format = { u: "bsdUser", l: "bsdLong", j: "bsdJobs" }[letter];
    if (format !== undefined) this.#format = format;
    else if ("ax".includes(letter)) request.all = true;
    else if (letter === "f") request.forest = true;
    else if (letter === "h") request.headers = false;
    else if (letter === "e") request.all = true;
    else if (!"wrcnSgTvs".includes(letter)) throw this.#fail("unsupported option (BSD syntax)");
  }

  #list(kind: string, text: string): void {
    const request = this.#request;
    const words = text.split(/[, ]+/).filter((word) => word !== "");
    request.chosen = true;
    const numbers = (into: Set<number>) => {
      for (const word of words) {
        if (!/^\d+$/.test(word)) throw this.#fail("process ID list syntax error");
        into.add(Number(word));
      }
    };
    const ids = (into: Set<number>, file: "passwd" | "group") => {
      const table = nameTable(this.context, file);
      for (const word of words) {
        const id = idOf(table, word);
        if (id === undefined)
          throw this.#fail(`${file === "passwd" ? "user" : "group"} name does not exist`);
        into.add(id);
      }
    };
    if (kind === "p") numbers(request.pids);
    else if (kind === "ppid") numbers(request.parents);
    else if (kind === "s") numbers(request.sessions);
    else if (kind === "C") words.forEach((word) => request.names.add(word));
    else if (kind === "u") ids(request.users, "passwd");
    else ids(request.groups, "group");
  }

  /** `pid,user=WHO,args`: a title of its own takes the rest of the word, as in ps. */
  #columnsFrom(text: string): void {
    const request = this.#request;
    const isTable = Object.values(formats).includes(text);
    const equals = isTable ? -1 : text.indexOf("=");
    const names = equals === -1 ? text : text.slice(0, equals);
    const list = names.split(/[, ]+/).filter((name) => name !== "");
    list.forEach((name, at) => {
      const [given = "", fixed] = name.split("=");
      // `pid:10`: a width of its own.
      const [word = "", digits] = given.split(/:(?=[1-9]\d{0,3}$)/);
      const title =
        fixed ?? (equals !== -1 && at === list.length - 1 ? text.slice(equals + 1) : undefined);
      const key = aliases[word] ?? word;
      if (this.columns[key] === undefined) {
        throw this.#fail(`unknown user-defined format specifier "${word}"`);
      }
      // -o pid=,args= gives empty titles to both.
      if (fixed === undefined && title?.startsWith(",")) {
        request.columns.push({ key, title: "" });
        this.#columnsFrom(title.slice(1));
        return;
      }
      const width = digits === undefined ? {} : { width: Number(digits) };
      request.columns.push({ key, ...width, ...(title !== undefined && { title }) });
    });
  }
}
