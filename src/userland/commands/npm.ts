/**
 * Owns `npm` and `npx`: the real ones, when the machine has them. They are found where node would have them
 * installed, in the project, or where NPM_DIR points to.
 */
import type { Command } from "../command.js";
import { codeText } from "../support/errors.js";

const places = [
  "/usr/local/lib/node_modules/npm",
  "/usr/lib/node_modules/npm",
  "/usr/share/nodejs/npm",
];

export const main: Command = async (context) => {
  const { fs, env, name } = context;
  const project: string[] = [];
  for (let folder = context.cwd(); ; folder = folder.slice(0, folder.lastIndexOf("/")) || "/") {
    project.push(`${folder === "/" ? "" : folder}/node_modules/npm`);
    if (folder === "/") break;
  }
  const folders = [...(env["NPM_DIR"] ? [env["NPM_DIR"]] : []), ...places, ...project];
  const cli = folders
    .map((folder) => `${folder}/bin/${name}-cli.js`)
    .find((path) => fs.existsSync(path));
  if (cli === undefined) {
    context.writeError(
      `${name}: npm is not installed in this machine: mount a folder that holds it at ${places[0]} (the npm package of the host's Node.js, or an unpacked npm from the registry)\n`,
    );
    return 127;
  }
  const { code, error } = await context.spawn("/usr/local/bin/node", [
    cli,
    ...context.argv.slice(1),
  ]);
  if (error !== undefined) context.writeError(`${name}: ${codeText(error)}\n`);
  return code;
};
