// A rehearsal of the kernel's, over services that note what they are asked: prints that, and what became of its share.
import { Turns } from "../../../dist/kernel/guest-door/turns.js";
import { rehearse } from "../../../dist/kernel/host-door/rehearsal.js";

const asked = [];
const nobody = new Proxy(
  {},
  {
    get:
      (_target, name) =>
      (...values) => {
        asked.push([name, ...values]);
      },
  },
);
const turns = new Turns();
const shares = [];
const services = {
  requests: nobody,
  providers: nobody,
  turns: {
    share() {
      const share = turns.share();
      const close = share.close.bind(share);
      shares.push("open");
      share.close = () => {
        shares.push("closed");
        close();
      };
      return share;
    },
  },
  guests: nobody,
  engines: nobody,
  answer: (...values) => asked.push(["answer", ...values]),
  answered: (...values) => asked.push(["answered", ...values]),
  decided: (...values) => asked.push(["decided", ...values]),
  warn: (...values) => asked.push(["warn", ...values]),
};
rehearse(services);
rehearse(services);
console.log(JSON.stringify({ asked, shares, isAlone: turns.partMs === new Turns().partMs }));
