// Run on the engine, with flags that say nothing to V8: compiles the guest-side modules to the last function, and keeps the
// forms for zygotes; src/launcher/zygote/compiled-forms.ts reads them.
const { readFileSync, writeFileSync } = require("node:fs");
const { join } = require("node:path");
const { setFlagsFromString } = require("node:v8");
const vm = require("node:vm");

const dist = process.argv[2];
const text = readFileSync(join(dist, "guest.json"));
const sources = JSON.parse(text);
const load = (id) => {
  const exported = {};
  vm.compileFunction(sources[id], ["exports", "require"])(exported, require);
  return exported;
};
const { ownScripts, parameters, placesOf } = load("guest/loader");
const { digestOfFlags, packForms } = load("launcher/zygote/compiled-forms");

async function main() {
  const { linkedAt } = await import(join(dist, "launcher/engine-symbols.js"));
  const flags = digestOfFlags(require);
  setFlagsFromString("--no-lazy");
  const forms = new Map(
    Object.entries(sources).map(([id, source]) => {
      const filename = ownScripts + id;
      const options = { filename, produceCachedData: true };
      return [id, vm.compileFunction(source, parameters, options).cachedData];
    }),
  );
  // `static uint32_t flag_hash` of v8::internal in src/flags/flags.cc; compilers number what is static.
  const name = "_ZN2v88internalL9flag_hashE";
  const flagsAddress = linkedAt([name, `${name}.0`]) ?? 0;
  const texts = Object.fromEntries(placesOf(text));
  const file = join(dist, `guest.${process.arch}.cache`);
  writeFileSync(file, packForms(text, forms, { flags, flagsAddress, texts }));
}
void main();
