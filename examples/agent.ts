// An agent: the AI SDK's loop, a model, and one tool that runs what the model writes. The model is a mock that answers as a
// real one would, so that this runs without a key: first a program, then, from what that returned, a sentence.
import { generateText, stepCountIs } from "ai";
import { MockLanguageModelV4 } from "ai/test";
import { codeTool } from "secure-exec/ai";

const usage = {
  inputTokens: { total: 1, noCache: 1, cacheRead: 0, cacheWrite: 0 },
  outputTokens: { total: 1, text: 1, reasoning: 0 },
};
const program = `
  const cities = ["Lisbon", "Oslo", "Cairo"];
  const degrees = await Promise.all(cities.map((city) => weather({ city })));
  return cities[degrees.indexOf(Math.max(...degrees))];
`;

const model = new MockLanguageModelV4({
  doGenerate: async ({ prompt }) => {
    const last = prompt.at(-1);
    if (last?.role !== "tool")
      return {
        content: [
          {
            type: "tool-call",
            toolCallId: "1",
            toolName: "run",
            input: JSON.stringify({ code: program }),
          },
        ],
        finishReason: { unified: "tool-calls", raw: undefined },
        usage,
        warnings: [],
      };
    const [part] = last.content;
    const output = part?.type === "tool-result" ? part.output : undefined;
    const { value } = (output?.type === "json" ? output.value : {}) as { value?: string };
    return {
      content: [{ type: "text", text: `It is warmest in ${value}.` }],
      finishReason: { unified: "stop", raw: undefined },
      usage,
      warnings: [],
    };
  },
});

const asked: string[] = [];
const run = codeTool({
  timeoutMs: 20_000,
  runtime: { limits: { memoryBytes: 256 * 1024 * 1024 } },
  tools: {
    weather: {
      description: "The temperature in a city, in degrees Celsius",
      execute: async ({ city }: { city: string }) => {
        asked.push(city);
        return city.length * 5;
      },
    },
  },
});
const { text, steps } = await generateText({
  model,
  prompt: "Which of Lisbon, Oslo and Cairo is the warmest?",
  tools: { run },
  stopWhen: stepCountIs(5),
});
console.log(text);
console.log("steps:", steps.length, "tool calls of the program:", asked.join(" "));
await run.dispose();
