/** The table of builtins. */
import type { Builtin } from "./builtin.js";
import { completionBuiltins } from "./completion.js";
import { declarationBuiltins } from "./declarations.js";
import { directoryBuiltins } from "./directories.js";
import { directoryStackBuiltins } from "./directory-stack.js";
import { echoBuiltins } from "./echo.js";
import { flowBuiltins } from "./flow.js";
import { getoptsBuiltins } from "./getopts.js";
import { helpBuiltins } from "./help.js";
import { jobBuiltins } from "./jobs.js";
import { killBuiltins } from "./kill.js";
import { mapfileBuiltins } from "./mapfile.js";
import { nameBuiltins } from "./names.js";
import { optionBuiltins } from "./options.js";
import { printfBuiltins } from "./printf.js";
import { processBuiltins } from "./process.js";
import { readBuiltins } from "./read.js";
import { trapBuiltins } from "./trap.js";
import { testBuiltins } from "./test.js";
import { unsetBuiltins } from "./unset.js";

export const builtins: ReadonlyMap<string, Builtin> = new Map(
  [
    flowBuiltins,
    declarationBuiltins,
    unsetBuiltins,
    optionBuiltins,
    getoptsBuiltins,
    echoBuiltins,
    printfBuiltins,
    readBuiltins,
    mapfileBuiltins,
    testBuiltins,
    directoryBuiltins,
    directoryStackBuiltins,
    nameBuiltins,
    helpBuiltins,
    completionBuiltins,
    jobBuiltins,
    killBuiltins,
    trapBuiltins,
    processBuiltins,
  ].flatMap((group) => Object.entries(group)),
);
