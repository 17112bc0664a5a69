/** The table of builtins. */
import type { Builtin } from "./builtin.js";
import { declarationBuiltins } from "./declarations.js";
import { directoryBuiltins } from "./directories.js";
import { echoBuiltins } from "./echo.js";
import { flowBuiltins } from "./flow.js";
import { getoptsBuiltins } from "./getopts.js";
import { jobBuiltins } from "./jobs.js";
import { nameBuiltins } from "./names.js";
import { optionBuiltins } from "./options.js";
import { printfBuiltins } from "./printf.js";
import { processBuiltins } from "./process.js";
import { readBuiltins } from "./read.js";
import { signalBuiltins } from "./signals.js";
import { testBuiltins } from "./test.js";

export const builtins: ReadonlyMap<string, Builtin> = new Map(
  [
    flowBuiltins,
    declarationBuiltins,
    optionBuiltins,
    getoptsBuiltins,
    echoBuiltins,
    printfBuiltins,
    readBuiltins,
    testBuiltins,
    directoryBuiltins,
    nameBuiltins,
    jobBuiltins,
    signalBuiltins,
    processBuiltins,
  ].flatMap((group) => Object.entries(group)),
);
