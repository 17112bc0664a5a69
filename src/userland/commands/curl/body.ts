/** Owns what `curl` sends behind the head of a request. */
import { CommandFailure, type CommandContext } from "../../command.js";
import { readAll, standardInput } from "../../support/input.js";
import type { Options } from "../../support/options.js";
import { manual } from "./failures.js";

export interface Body {
  data: Buffer;
  /** Empty: no Content-Type. */
  type: string;
}

/** What is sent, if anything: a file, a form, or data; throws the system's error where a file cannot be read. */
export function requestBody(context: CommandContext, options: Options): Body | undefined {
  const upload = options.get("T");
  if (upload !== undefined) {
    const data = upload === "-" ? readAll(standardInput(context)) : context.fs.readFileSync(upload);
    return { data, type: "" };
  }
  const form = options.all("F");
  if (form.length > 0) return formBody(context, options, form);
  const parts: string[] = [];
  let json = false;
  for (const { key, value } of options.list) {
    if (key === "raw") parts.push(value);
    else if (key === "d" || key === "binary" || key === "json") {
      json ||= key === "json";
      if (!value.startsWith("@")) parts.push(value);
      else {
        const name = value.slice(1);
        const text = (
          name === "-" ? readAll(standardInput(context)) : context.fs.readFileSync(name)
        ).toString("latin1");
        parts.push(
          Buffer.from(key === "d" ? text.replace(/[\r\n]/g, "") : text, "latin1").toString("utf8"),
        );
      }
    } else if (key === "encode") {
      const equals = value.indexOf("=");
      const [name, content] =
        equals === -1 ? ["", value] : [value.slice(0, equals), value.slice(equals + 1)];
      parts.push((name === "" ? "" : `${name}=`) + encodeURIComponent(content));
    }
  }
  if (parts.length === 0) return undefined;
  return {
    data: Buffer.from(json ? parts.join("") : parts.join("&")),
    type: json ? "application/json" : "application/x-www-form-urlencoded",
  };
}

function formBody(context: CommandContext, options: Options, fields: string[]): Body {
  const boundary = `------------------------${Math.random().toString(16).slice(2).padEnd(16, "0").slice(0, 16)}`;
  const parts: Buffer[] = [];
  for (const field of fields) {
    const match = /^([^=]*)=([^]*)$/.exec(field);
    if (match === null) {
      if (!options.has("s")) context.writeError("Warning: Illegally formatted input field!\n");
      throw new CommandFailure("option -F: is badly used here", 2, manual);
    }
    const [name, value] = [match[1]!, match[2]!];
    const file = /^[@<]([^;]*)(?:;type=([^;]*))?/.exec(value);
    let head = `--${boundary}\r\nContent-Disposition: form-data; name="${name}"`;
    if (file !== null && value.startsWith("@")) {
      head += `; filename="${file[1]!.split("/").at(-1)!}"\r\nContent-Type: ${file[2] ?? "application/octet-stream"}`;
    }
    const content = file === null ? Buffer.from(value) : context.fs.readFileSync(file[1]!);
    parts.push(Buffer.from(`${head}\r\n\r\n`), content, Buffer.from("\r\n"));
  }
  parts.push(Buffer.from(`--${boundary}--\r\n`));
  return { data: Buffer.concat(parts), type: `multipart/form-data; boundary=${boundary}` };
}
