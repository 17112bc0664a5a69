// Tools with bytes, in a namespace, and one whose results come one by one; a value that is more than JSON.
import { NodeRuntime } from "secure-exec";

const rt = await NodeRuntime.create({
  tools: {
    images: {
      invert: {
        description: "Invert the pixels of an image",
        handler: ({ pixels }: { pixels: Uint8Array }) => pixels.map((pixel) => pixel ^ 0xff),
      },
    },
    ticks: {
      description: "Count, as long as somebody listens",
      handler: async function* () {
        for (let tick = 1; ; tick++) yield { tick };
      },
    },
  },
});
const { value } = await rt.run<Map<string, unknown>>(
  `const pixels = await tools.images.invert({ pixels: Uint8Array.of(0, 127, 255) });
  const seen = [];
  for await (const { tick } of await tools.ticks()) {
    seen.push(tick);
    if (seen.length === 3) break;
  }
  __return(new Map(Object.entries({ pixels, seen, found: tools.$search("invert an image") })));`,
  { encoding: "structured" },
);
for (const [name, part] of value ?? []) console.log(name, part);
await rt.dispose();
