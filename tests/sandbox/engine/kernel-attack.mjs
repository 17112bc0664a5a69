// What tests/attacks/kernel-probe.mjs finds in an ordinary process; prints it.
import * as libc from "../../../dist/sandbox/libc.js";

const [probe, victim, scratch] = process.argv.slice(2);
const { attack } = await import(probe);
console.log(JSON.stringify(await attack(libc, { victim: Number(victim), scratch })));
