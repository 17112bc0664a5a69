/** Owns a running awk program's state: variables, the record and its fields, open files and pipes. */
import { CommandFailure, type CommandContext } from "../../command.js";
import { errorText } from "../../support/errors.js";
import { openInput, type ByteSource } from "../../support/input.js";
import { RegexCache, RegexError, type PosixRegex } from "../../support/regex.js";
import { bytesOf, fromBytes, readEscape, toBytes } from "../../support/text.js";
import { Cell } from "./cells.js";
import { fieldsOfWidths, matchesOf, RecordReader, splitFields } from "./records.js";
import { fromInput, toNumber, toText, truthy, type AwkArray, type Value } from "./values.js";

/** A fields' count beyond this is a mistake, and would only fill the memory. */
const maxFields = 1 << 22;

interface OutputTarget {
  write(text: string): void;
  flush(): void;
  /** The status of what was written to. */
  close(): number;
}

export class Runtime {
  readonly globals = new Map<string, Cell>();
  readonly regexes = new RegexCache({ extended: true, awk: true });
  readonly #loose = new RegexCache({ extended: true, awk: true, ignoreCase: true });
  readonly ignoreCase: Cell;
  readonly fieldPattern: Cell;
  readonly fieldWidths: Cell;
  /** BEGINFILE and ENDFILE. */
  fileHooks: { begin(): void; end(): void } | undefined;
  readonly nr: Cell;
  readonly fnr: Cell;
  readonly fs: Cell;
  readonly rs: Cell;
  readonly ofs: Cell;
  readonly ors: Cell;
  readonly convfmt: Cell;
  readonly ofmt: Cell;
  readonly subsep: Cell;
  readonly fileName: Cell;
  readonly rstart: Cell;
  readonly rlength: Cell;
  seed = 0;
  previousSeed = 0;
  #record = "";
  #fields: Value[] = [];
  #fieldsValid = true;
  #recordValid = true;
  #argument = 1;
  #main: RecordReader | undefined;
  #usedFile = false;
  readonly #outputs = new Map<string, OutputTarget>();
  readonly #inputs = new Map<string, { reader: RecordReader; status: number }>();

  constructor(readonly context: CommandContext) {
    this.nr = this.cell("NR", 0);
    this.fnr = this.cell("FNR", 0);
    this.fs = this.cell("FS", " ");
    this.rs = this.cell("RS", "\n");
    this.ofs = this.cell("OFS", " ");
    this.ors = this.cell("ORS", "\n");
    this.convfmt = this.cell("CONVFMT", "%.6g");
    this.ofmt = this.cell("OFMT", "%.6g");
    this.subsep = this.cell("SUBSEP", "\x1c");
    this.fileName = this.cell("FILENAME", undefined);
    this.rstart = this.cell("RSTART", 0);
    this.rlength = this.cell("RLENGTH", -1);
    this.ignoreCase = this.cell("IGNORECASE", 0);
    this.fieldPattern = this.cell("FPAT", undefined);
    this.fieldWidths = this.cell("FIELDWIDTHS", undefined);
    const environment = this.array(this.cell("ENVIRON", undefined));
    for (const [name, value] of Object.entries(context.env)) {
      environment.set(toBytes(name), fromInput(toBytes(value ?? "")));
    }
  }

  cell(name: string, initial?: Value): Cell {
    let cell = this.globals.get(name);
    if (cell === undefined) {
      cell = new Cell(initial);
      this.globals.set(name, cell);
    }
    return cell;
  }

  array(cell: Cell): AwkArray {
    cell.array ??= new Map();
    return cell.array;
  }

  text(value: Value): string {
    return typeof value === "string" ? value : toText(value, this.#text(this.convfmt));
  }

  #text(cell: Cell): string {
    return typeof cell.value === "string" ? cell.value : toText(cell.value, "%.6g");
  }

  regex(source: string): PosixRegex {
    try {
      return (truthy(this.ignoreCase.value) ? this.#loose : this.regexes).get(source);
    } catch (error) {
      if (!(error instanceof RegexError)) throw error;
      throw new CommandFailure(
        `regular expression compile failed (${error.message})\n${source}`,
        2,
      );
    }
  }

  // The record.

  setRecord(text: string): void {
    this.#record = text;
    this.#recordValid = true;
    this.#fieldsValid = false;
  }

  #split(): void {
    if (this.#fieldsValid) return;
    this.#fieldsValid = true;
    const widths = this.text(this.fieldWidths.value);
    if (widths !== "") {
      this.#fields = fieldsOfWidths(this.#record, widths).map(fromInput);
      return;
    }
    const pattern = this.text(this.fieldPattern.value);
    if (pattern !== "") {
      this.#fields = matchesOf(this.#record, this.regex(pattern)).map(fromInput);
      return;
    }
    const separator = this.text(this.fs.value);
    const paragraphs = separator !== " " && this.text(this.rs.value) === "";
    this.#fields = splitFields(this.#record, separator, this.regexes, paragraphs);
    for (let at = 0; at < this.#fields.length; at++) {
      this.#fields[at] = fromInput(this.#fields[at] as string);
    }
  }

  get record(): string {
    if (!this.#recordValid) {
      this.#record = this.#fields.map((field) => this.text(field)).join(this.text(this.ofs.value));
      this.#recordValid = true;
    }
    return this.#record;
  }

  field(index: number): Value {
    if (index === 0) return fromInput(this.record);
    if (index < 0) throw new CommandFailure(`attempt to access field ${Math.trunc(index)}`, 2);
    this.#split();
    return this.#fields[Math.trunc(index) - 1];
  }

  setField(index: number, value: Value): void {
    if (index < 0) throw new CommandFailure(`attempt to access field ${Math.trunc(index)}`, 2);
    if (Math.trunc(index) === 0) return this.setRecord(this.text(value));
    this.#split();
    if (index > this.#fields.length) this.setFieldCount(Math.trunc(index));
    this.#fields[Math.trunc(index) - 1] = value;
    this.#recordValid = false;
  }

  get fieldCount(): number {
    this.#split();
    return this.#fields.length;
  }

  setFieldCount(count: number): void {
    this.#split();
    if (count < 0 || count > maxFields)
      throw new CommandFailure(`NF set to ${count}: out of range`, 2);
    while (this.#fields.length < count) this.#fields.push("");
    this.#fields.length = Math.trunc(count);
    this.#recordValid = false;
  }

  // Input.

  /** The next record of the main input; undefined at its end. */
  nextRecord(): string | undefined {
    for (;;) {
      if (this.#main === undefined) {
        if (!this.#openNext()) return undefined;
        this.fileHooks?.begin();
        if (this.#main === undefined) continue;
      }
      let record: string | undefined;
      try {
        record = this.#main!.next(this.text(this.rs.value));
      } catch (error) {
        this.context.writeError(`awk: ${this.text(this.fileName.value)}: ${errorText(error)}\n`);
        this.failed = true;
      }
      if (record !== undefined) {
        this.nr.value = toNumber(this.nr.value) + 1;
        this.fnr.value = toNumber(this.fnr.value) + 1;
        return record;
      }
      this.nextFile();
    }
  }

  failed = false;

  nextFile(): void {
    if (this.#main === undefined) return;
    this.#main.close();
    this.#main = undefined;
    this.fileHooks?.end();
  }

  #openNext(): boolean {
    const args = this.array(this.cell("ARGV"));
    for (;;) {
      const count = toNumber(this.cell("ARGC").value);
      if (this.#argument >= count) {
        if (this.#usedFile) return false;
        return this.#open("-");
      }
      const word = this.text(args.get(String(this.#argument++)));
      if (word === "") continue;
      if (this.assignment(word)) continue;
      if (this.#open(word)) return true;
    }
  }

  #open(name: string): boolean {
    this.#usedFile = true;
    try {
      this.#main = new RecordReader(
        openInput(this.context, fromBytes(name === "/dev/stdin" ? "-" : name)),
        this.regexes,
      );
    } catch (error) {
      throw new CommandFailure(`cannot open ${name} (${errorText(error)})`, 2);
    }
    this.fileName.value = name === "-" ? "" : name;
    this.fnr.value = 0;
    return true;
  }

  /** `name=value` as an argument. */
  assignment(word: string): boolean {
    const match = /^([A-Za-z_]\w*)=([^]*)$/.exec(word);
    if (match === null) return false;
    const value = match[2]!.replace(/\\(?:[0-7]{1,3}|[^])/g, (text) => {
      if (text === '\\"') return '"';
      return readEscape(text, 0)?.value ?? text;
    });
    if (match[1] === "NF") this.setFieldCount(toNumber(value));
    else this.cell(match[1]!).value = fromInput(value);
    return true;
  }

  /** A record of a file or of a command's output: -1 when it cannot be opened, 0 at its end. */
  readFrom(name: string, command: boolean): { status: number; record: string } {
    const key = (command ? "|" : "<") + name;
    let input = this.#inputs.get(key);
    if (input === undefined) {
      try {
        input = command
          ? this.#openCommand(name)
          : {
              reader: new RecordReader(
                openInput(this.context, fromBytes(name === "/dev/stdin" ? "-" : name)),
                this.regexes,
              ),
              status: 0,
            };
      } catch (error) {
        errorText(error);
        return { status: -1, record: "" };
      }
      this.#inputs.set(key, input);
    }
    try {
      const record = input.reader.next(this.text(this.rs.value));
      return record === undefined ? { status: 0, record: "" } : { status: 1, record };
    } catch (error) {
      errorText(error);
      return { status: -1, record: "" };
    }
  }

  #openCommand(command: string): { reader: RecordReader; status: number } {
    this.flush();
    const { stdout, code } = this.context.spawnSync("/bin/sh", ["-c", fromBytes(command)], {
      capture: true,
    });
    let rest = stdout ?? new Uint8Array(0);
    const source: ByteSource = {
      read(maxBytes = 65536) {
        const chunk = rest.subarray(0, maxBytes);
        rest = rest.subarray(chunk.length);
        return chunk;
      },
      close: () => undefined,
    };
    return { reader: new RecordReader(source, this.regexes), status: code };
  }

  // Output.

  write(kind: ">" | ">>" | "|", name: string, text: string): void {
    const key = kind === "|" ? `|${name}` : `>${name}`;
    let output = this.#outputs.get(key);
    if (output === undefined) {
      output = kind === "|" ? this.#pipe(name) : this.#file(name, kind === ">>");
      this.#outputs.set(key, output);
    }
    output.write(text);
  }

  #pipe(command: string): OutputTarget {
    const parts: string[] = [];
    return {
      write: (text) => void parts.push(text),
      flush: () => undefined,
      close: () => {
        this.flush();
        const input = bytesOf(parts.join(""));
        return this.context.spawnSync("/bin/sh", ["-c", fromBytes(command)], { input }).code;
      },
    };
  }

  #file(name: string, append: boolean): OutputTarget {
    const { context } = this;
    if (name === "/dev/stdout" || name === "-") {
      return {
        write: (text) => context.writeBytes(text),
        flush: () => context.flush(),
        close: () => 0,
      };
    }
    if (name === "/dev/stderr") {
      return {
        write: (text) => context.writeError(fromBytes(text)),
        flush: () => undefined,
        close: () => 0,
      };
    }
    let fd: number;
    try {
      fd = context.fs.openSync(fromBytes(name), append ? "a" : "w");
    } catch (error) {
      throw new CommandFailure(`cannot open ${name} (${errorText(error)})`, 2);
    }
    let pending = "";
    const flush = () => {
      const data = bytesOf(pending);
      pending = "";
      for (let at = 0; at < data.length;) at += context.fs.writeSync(fd, data, at);
    };
    return {
      write(text) {
        pending += text;
        if (pending.length > 65536) flush();
      },
      flush,
      close() {
        flush();
        context.fs.closeSync(fd);
        return 0;
      },
    };
  }

  flush(): void {
    this.context.flush();
    for (const output of this.#outputs.values()) output.flush();
  }

  close(name: string): number {
    let status = -1;
    for (const key of [`>${name}`, `|${name}`]) {
      const output = this.#outputs.get(key);
      if (output === undefined) continue;
      this.#outputs.delete(key);
      status = output.close();
    }
    for (const key of [`<${name}`, `|${name}`]) {
      const input = this.#inputs.get(key);
      if (input === undefined) continue;
      this.#inputs.delete(key);
      input.reader.close();
      status = input.status;
    }
    return status;
  }

  closeAll(): void {
    this.context.flush();
    for (const [key, output] of this.#outputs) {
      this.#outputs.delete(key);
      output.close();
    }
    this.#main?.close();
  }
}
