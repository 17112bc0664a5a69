// A code interpreter: data in, a chart out. The program is what a model wrote; it draws an SVG with no library, and the host
// takes the file as bytes: it shows it as an image (<img src>), where an SVG runs no script, and never as markup.
import { NodeRuntime } from "secure-exec";

const program = `
  import { readFileSync, writeFileSync } from "node:fs";
  const rows = readFileSync("sales.csv", "utf8").trim().split("\\n").slice(1)
    .map((line) => line.split(",")).map(([month, sum]) => ({ month, sum: Number(sum) }));
  const most = Math.max(...rows.map(({ sum }) => sum));
  const bars = rows.map(({ month, sum }, at) => {
    const height = Math.round((sum / most) * 100);
    return \`<rect x="\${10 + at * 40}" y="\${110 - height}" width="30" height="\${height}"><title>\${month}: \${sum}</title></rect>\`;
  });
  writeFileSync("chart.svg",
    \`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 \${20 + rows.length * 40} 120">\${bars.join("")}</svg>\`);
  __return({ best: rows.find(({ sum }) => sum === most).month });
`;

const rt = await NodeRuntime.create({
  files: { "/home/user/sales.csv": "month,sum\nJan,120\nFeb,90\nMar,150\n" },
  permissions: { childProcess: "deny" },
  limits: { memoryBytes: 256 * 1024 * 1024, fileSystemBytes: 32 * 1024 * 1024 },
});
const { value, exitCode } = await rt.run<{ best: string }>(program, { timeout: 10_000 });
const made = await rt.readDir("/home/user");
const chart = Buffer.from(await rt.readFile("/home/user/chart.svg"));
console.log(exitCode, value?.best, made.join(" "));
console.log(
  "bars:",
  [...chart.toString().matchAll(/height="(\d+)"/g)].map(([, height]) => height).join(" "),
);
const image = `<img alt="Sales" src="data:image/svg+xml;base64,${chart.toString("base64")}">`;
console.log(image.slice(0, 56));
await rt.dispose();
