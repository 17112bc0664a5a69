// Approval: a program asks for something with consequences, and waits for a person. Here the person is a queue with
// rules; in an application it is a message to somebody, answered minutes later.
import { NodeRuntime } from "secure-exec";
import type { HostToolCall } from "secure-exec";

type Payment = { to: string; amount: number };

/** What waits for a decision. */
const inbox: { call: HostToolCall; decide: (approve: boolean, reason?: string) => void }[] = [];
const paid: Payment[] = [];

const rt = await NodeRuntime.create({
  tools: {
    pay: {
      description: "Pay an amount to somebody; somebody here has to agree",
      inputSchema: {
        type: "object",
        properties: { to: { type: "string" }, amount: { type: "number", minimum: 0 } },
        required: ["to", "amount"],
      },
      // Asked before the handler, for as long as it takes; the program waits meanwhile.
      approval: (call) =>
        new Promise((resolve) =>
          inbox.push({
            call,
            decide: (approve, reason) =>
              resolve({ approve, ...(reason !== undefined && { reason }) }),
          }),
        ),
      handler: (payment: Payment) => {
        paid.push(payment);
        return { receipt: paid.length };
      },
    },
  },
});

const running = rt.run<string[]>(`
  const said = [];
  for (const payment of [{ to: "ann", amount: 20 }, { to: "eve", amount: 9000 }]) {
    try {
      const { receipt } = await callHostTool("pay", payment);
      said.push(payment.to + ": receipt " + receipt);
    } catch (error) {
      said.push(payment.to + ": " + error.message);
    }
  }
  __return(said);
`);

/** The person: looks at what waits, one after the other. */
async function person(decisions: number): Promise<void> {
  for (let made = 0; made < decisions;) {
    const next = inbox.shift();
    if (next === undefined) await new Promise((resolve) => setTimeout(resolve, 5));
    else {
      const { amount } = next.call.input as Payment;
      console.log("asked for", amount);
      next.decide(amount < 100, amount < 100 ? undefined : "that is too much");
      made++;
    }
  }
}

await person(2);
const { value } = await running;
console.log(value?.join("\n"));
console.log("paid:", JSON.stringify(paid));
await rt.dispose();
