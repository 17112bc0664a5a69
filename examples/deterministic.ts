// A run that is the same every time, and one that is had again without the tools it called.
import { NodeRuntime } from "secure-exec";

const deterministic = { seed: 7, startTimeMs: Date.UTC(2024, 0, 1) };
let asked = 0;
const tools = {
  weather: {
    description: "The weather in a place",
    handler: ({ place }: { place: string }) => ({
      place,
      celsius: 20 + Math.random(),
      call: ++asked,
    }),
  },
};
const code = `
  const reports = await Promise.all(["Oslo", "Rome"].map((place) => callHostTool("weather", { place })));
  await new Promise((resolve) => setTimeout(resolve, 86_400_000));
  console.log(new Date().toISOString(), Math.random(), reports.map(({ place }) => place).join());
  __return(reports);
`;

const first = await NodeRuntime.create({ deterministic, record: true, tools });
const result = await first.run(code);
await first.dispose();

const second = await NodeRuntime.create({ deterministic, tools });
const again = await second.replay(result.recording!);
await second.dispose();

console.log(
  result.stdout === again.stdout,
  JSON.stringify(result.value) === JSON.stringify(again.value),
  asked,
);
