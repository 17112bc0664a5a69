/**
 * Puts a report of the virtual machine under `process.report`: the two functions of
 * the `report` binding that would describe the host. Node's own process.report stays
 * above, and the settings stay the binding's. It protects nothing.
 */
import type { EngineTools } from "../environment.js";
import type * as Report from "../diagnostics/report.js";

// Loaded when a program asks for a report: few do.
const report = (): typeof Report => require("../diagnostics/report.js");

export function installReport(env: EngineTools): void {
  const binding = env.internalBinding("report");
  binding.getReport = (error: unknown) =>
    report().describeProcess(env, {
      event: "JavaScript API",
      trigger: "GetReport",
      filename: null,
      error,
    });
  binding.writeReport = (event: string, trigger: string, filename: unknown, error: unknown) =>
    report().writeReport(env, {
      event,
      trigger,
      filename: typeof filename === "string" ? filename : null,
      error,
    });
}
