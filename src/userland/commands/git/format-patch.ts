/** Owns `git format-patch`: commits as mails, in files or on standard output. */
import type { CommandContext } from "../../command.js";
import { parseOptions, type Options } from "../../support/options.js";
import { dated, type Commit } from "./commit-text.js";
import { between, commitsFrom } from "./commit-walk.js";
import { changesOf, diffOptions, writeChanges } from "./diff.js";
import { fatal } from "./failures.js";
import type { Repository } from "./repository.js";
import { gitVersion } from "./version.js";

const subjectBytesMax = 52;
const lineColumns = 78;

export async function formatPatch(
  repository: Repository,
  context: CommandContext,
): Promise<number> {
  const options = parseOptions(
    context,
    "n:o:NkvsU:",
    {
      ...diffOptions,
      stdout: "stdout",
      "output-directory=": "o",
      "start-number=": "start",
      "subject-prefix=": "prefix",
      "no-numbered": "N",
      numbered: "numbered",
      "no-signature": "unsigned",
      "zero-commit": "zero",
      root: "root",
      "no-stat": "x",
      quiet: "q",
    },
    { status: 129, numberOption: "n" },
  );
  const commits = (await patchesOf(repository, options)).filter(
    ({ commit }) => commit.parent.length < 2,
  );
  const start = Number(options.get("start") ?? 1);
  const directory = options.get("o");
  if (directory !== undefined) context.fs.mkdirSync(directory, { recursive: true });
  for (const [at, commit] of commits.entries()) {
    const isNumbered = !options.has("N") && (commits.length > 1 || options.has("numbered"));
    const number = isNumbered ? ` ${start + at}/${start + commits.length - 1}` : "";
    const mail = await mailOf(repository, context, { commit, number, options });
    if (options.has("stdout")) {
      context.writeBytes(at < commits.length - 1 ? `${mail}\n` : mail);
      continue;
    }
    const name = `${String(start + at).padStart(4, "0")}-${fileName(commit)}.patch`;
    const path = directory === undefined ? name : `${directory.replace(/\/$/, "")}/${name}`;
    context.fs.writeFileSync(path, Buffer.from(mail, "latin1"));
    if (!options.has("q")) context.write(`${path}\n`);
  }
  return 0;
}

/** Which commits, oldest first: the newest n, those of a range, or those that a revision has not. */
async function patchesOf(repository: Repository, options: Options): Promise<Commit[]> {
  const [word, extra] = options.operands;
  if (extra !== undefined) throw fatal("format-patch takes one revision or range here");
  const range = /^(.*?)\.\.(.*)$/.exec(word ?? "");
  const count = options.has("n") ? Number(options.get("n")) : undefined;
  let list: Commit[];
  if (range !== null) {
    const [from, to] = [range[1] || "HEAD", range[2] || "HEAD"];
    list = await between(repository, await repository.need(from), await repository.need(to));
  } else if (count !== undefined || options.has("root"))
    list = await commitsFrom(repository, [await repository.need(word ?? "HEAD")]);
  else if (word === undefined) return [];
  else list = await between(repository, await repository.need(word), await repository.need("HEAD"));
  return list
    .filter(({ commit }) => commit.parent.length < 2)
    .slice(0, count)
    .reverse();
}

/** The first paragraph on one line, and what follows it. */
function partsOf({ commit }: Commit): { subject: string; body: string } {
  const lines = commit.message.replace(/\n+$/, "").split("\n");
  const gap = lines.indexOf("");
  const end = gap === -1 ? lines.length : gap;
  return { subject: lines.slice(0, end).join(" "), body: lines.slice(end + 1).join("\n") };
}

function fileName(commit: Commit): string {
  return partsOf(commit)
    .subject.replace(/[^A-Za-z0-9._]+/g, "-")
    .replace(/\.{2,}/g, ".")
    .slice(0, subjectBytesMax)
    .replace(/^-|[-.]+$/g, "");
}

// oxlint-disable-next-line no-control-regex -- control characters are what is looked for
const isPlain = (text: string): boolean => /^[\x00-\x7f]*$/.test(text);

/** A header's text where it is no ASCII (RFC 2047); `plain`: what stands for itself in it. */
function encoded(text: string, plain: RegExp): string {
  const one = (byte: number): string => {
    const character = String.fromCharCode(byte);
    return plain.test(character)
      ? character
      : `=${byte.toString(16).toUpperCase().padStart(2, "0")}`;
  };
  return `=?UTF-8?q?${[...Buffer.from(text, "utf8")].map(one).join("")}?=`;
}

const plainInNames = /[A-Za-z0-9!*+\-/]/;
const plainInSubjects = /[!-<>@-^`-~]/;

/** Words of a header on lines of a mail's width. */
function folded(name: string, text: string): string {
  const lines: string[] = [];
  let line = `${name}:`;
  for (const word of text.split(" ")) {
    if (line.length + 1 + word.length > lineColumns && line !== `${name}:`) {
      lines.push(line);
      line = "";
    }
    line += ` ${word}`;
  }
  return [...lines, line].join("\n");
}

/** The mail, as a byte string. */
async function mailOf(
  repository: Repository,
  context: CommandContext,
  { commit, number, options }: { commit: Commit; number: string; options: Options },
): Promise<string> {
  const { author } = commit.commit;
  const { subject, body } = partsOf(commit);
  const oid = options.has("zero") ? "0".repeat(40) : commit.oid;
  const name = isPlain(author.name)
    ? /[()<>[\]:;@\\,."]/.test(author.name)
      ? `"${author.name.replace(/["\\]/g, "\\$&")}"`
      : author.name
    : encoded(author.name, plainInNames);
  const title = isPlain(subject) ? subject : encoded(subject, plainInSubjects);
  const prefix = `[${options.get("prefix") ?? "PATCH"}${number}] `;
  const mime =
    isPlain(body) && isPlain(subject)
      ? ""
      : "MIME-Version: 1.0\nContent-Type: text/plain; charset=UTF-8\nContent-Transfer-Encoding: 8bit\n";
  const head =
    `From ${oid} Mon Sep 17 00:00:00 2001\nFrom: ${name} <${author.email}>\nDate: ${dated(author, "rfc")}\n` +
    `${folded("Subject", prefix + title)}\n${mime}\n${body === "" ? "" : `${body}\n`}---\n`;
  let mail = Buffer.from(head, "utf8").toString("latin1");
  const writeBytes = (bytes: string): void => void (mail += bytes);
  const write = (data: string | Uint8Array): void =>
    writeBytes(Buffer.from(data).toString("latin1"));
  const changes = await changesOf(repository, commit.oid, []);
  const shape = parseOptions(
    { ...context, argv: ["diff", "--stat", "--summary", "-p"] },
    "p",
    diffOptions,
    { status: 129 },
  );
  await writeChanges({ ...context, write, writeBytes }, changes, shape);
  return `${mail}${options.has("unsigned") ? "" : `-- \n${gitVersion}\n\n`}`;
}
