// Our shell as a process of the host: node sh.mjs NAME [arguments of sh].
import { fileURLToPath } from "node:url";
import { loadGuestModule } from "../../../support/guest-modules.mjs";
import { hostSystem } from "../../../support/host-shell-system.mjs";

const { main } = loadGuestModule("userland/sh/main");
const self = fileURLToPath(import.meta.url);
const [name, ...args] = process.argv.slice(2);
const command = [process.execPath, "--no-warnings", self, "sh"];
process.exit(await main(hostSystem(command), [name, ...args], process.env));
