import { NodeRuntime } from "secure-exec";
// Register curated host tools. Their handlers run on the host, so the plugin
// reaches these capabilities only through the tool surface you expose - never
// the underlying database, secrets, or network behind them.
const runtime = await NodeRuntime.create({
  tools: {
    lookupUser: {
      description: "Look up a user by id",
      inputSchema: {
        type: "object",
        properties: { id: { type: "string" } },
        required: ["id"],
      },
      // Runs on the host. In a real system this would hit your database.
      handler: ({ id }: { id: string }) => ({
        id,
        name: id === "u_1" ? "Ada Lovelace" : "Unknown",
      }),
    },
  },
});
try {
  // The untrusted plugin reaches the host capability only through callHostTool,
  // which resolves with the handler's return value.
  const { value } = await runtime.run<{ id: string; name: string }>(`
const user = await callHostTool("lookupUser", { id: "u_1" });
__return(user);
`);
  console.log("looked-up user:", value?.name);
} finally {
  await runtime.dispose();
}
