// A network whose plans are carried out at once under a policy, as the calls of a process are.
import { Network } from "../../../dist/kernel/net/network.js";
import { carryOut } from "../../../dist/kernel/policy/admission.js";
import { denial } from "../../../dist/kernel/policy/decision.js";

/** Without rules, what stays inside the VM is free. */
const closed = { judgeAll: ([request]) => (request.loopback ? 0 : denial(request)) };

export class GovernedNetwork extends Network {
  policy = closed;

  #carried(plan) {
    const { policy } = this;
    return carryOut({ pid: 1, argv: [], policy }, plan);
  }
  bindUdp(...args) {
    return this.#carried(super.bindUdp(...args));
  }
  listen(...args) {
    return this.#carried(super.listen(...args));
  }
  connectTcp(...args) {
    return this.#carried(super.connectTcp(...args));
  }
  send(...args) {
    return this.#carried(super.send(...args));
  }
  resolve(hostname, family) {
    return this.#carried(super.resolve(hostname, family, this.policy.deniesNames === true));
  }
  query(type, name) {
    return this.#carried(super.query(type, name, this.policy.deniesNames === true));
  }
}
