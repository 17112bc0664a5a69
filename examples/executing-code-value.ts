// The snippet in the middle is the documentation's; what is around it makes it a program.
import { NodeRuntime } from "secure-exec";

const rt = await NodeRuntime.create();

const { value } = await rt.run<{ sum: number }>(`
globalThis.__return({ sum: 2 + 40 });
`);
console.log(value?.sum); // 42

await rt.dispose();
