// Runs the test files that it is given in one process, one after the other, each as a suite with its name: what they share
// is the start of Node and of an engine. scripts/test.mjs says which files share one, and which run alone and why.
import { after, describe } from "node:test";
import { pathToFileURL } from "node:url";
import { endFile, shareProcess } from "../tests/support/file-end.mjs";

shareProcess();
for (const file of process.argv.slice(2))
  await new Promise((resolve) => {
    describe(file, async () => {
      try {
        await import(pathToFileURL(file).href);
      } finally {
        // Behind the file's own.
        after(async () => {
          try {
            await endFile();
          } finally {
            resolve(undefined);
          }
        });
      }
    });
  });
