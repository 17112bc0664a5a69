// Cloudflare code mode: the model's code runs in a machine, its tools in this process.
import { createExecutor } from "secure-exec/codemode";

const executor = createExecutor({ timeout: 10_000 });

const { result, error, logs } = await executor.execute(
  `async () => {
    const cities = await weather.list();
    const warmest = (await Promise.all(cities.map((city) => weather.of({ city }))))
      .sort((a, b) => b.degrees - a.degrees)[0];
    console.log("asked about", cities.length, "cities");
    return warmest;
  }`,
  [
    {
      name: "weather",
      fns: {
        list: async () => ["Oslo", "Lisbon"],
        of: async ({ city }: { city: string }) => ({ city, degrees: city === "Oslo" ? 4 : 19 }),
      },
    },
  ],
);

console.log(JSON.stringify({ result, error, logs }));
