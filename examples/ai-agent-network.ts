// The snippet in the middle is the documentation's; what is around it makes it a program.
import { NodeRuntime } from "secure-exec";
// network is already denied by default; this opts it back in while the other
// scopes keep their defaults.
const rt = await NodeRuntime.create({
  permissions: { network: "allow" },
});

// A name that no network has: it is looked up, which the default would not allow.
const { value } = await rt.run<string>(`
  __return(await fetch("http://nobody.invalid/").catch((error) => error.cause.code));
`);
console.log(value);
await rt.dispose();
