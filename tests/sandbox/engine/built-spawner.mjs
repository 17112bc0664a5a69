// What starts zygotes of this build, for pools that a program makes by itself.
import { fileURLToPath } from "node:url";
import { zygoteSpawner } from "../../../dist/launcher/zygote-process.js";

const dist = (name) => fileURLToPath(new URL(`../../../dist/${name}`, import.meta.url));

export const builtSpawner = () =>
  zygoteSpawner({
    enginePath: process.execPath,
    bundlePath: dist("guest.json"),
    programsPath: dist("programs.json"),
  });
