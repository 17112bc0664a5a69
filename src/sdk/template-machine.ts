/**
 * Owns what may be said of a machine that begins from a template, and what such a machine is then made with: all
 * that is not said is as in the template's own.
 *
 * Invariants: nothing that a set-up has in memory already can be said otherwise; permissions become narrower only.
 */
import { invalidOption } from "./errors.js";
import { parseCreateOptions } from "./options.js";
import { bagOf } from "./option-checks.js";
import type { CreateOptions } from "./options.js";
import { parseLimits } from "./limits.js";
import { parseNarrowing } from "./permissions.js";
import type { Narrowing } from "./permissions.js";
import { NodeRuntimeTemplate } from "./template.js";

const optionNames = [
  "template",
  "audit",
  "cwd",
  "env",
  "files",
  "limits",
  "onBootTiming",
  "onDecision",
  "onLimitWarning",
  "permissions",
  "tools",
  "bindings",
  "hostFunctions",
];

/** The template that `create` was given, if any. Throws INVALID_OPTION. */
export function templateOf(options: unknown): NodeRuntimeTemplate | undefined {
  const template = (options as { template?: unknown } | undefined)?.template;
  if (template === undefined || template instanceof NodeRuntimeTemplate) return template;
  throw invalidOption("template", "must be what template() gave");
}

export interface TemplateMachine {
  given: CreateOptions;
  /** What the machine's own template is begun with. */
  env: Record<string, string>;
  cwd: string;
  narrowing: Narrowing | undefined;
}

/** `source` is what the template's machine was made with. Throws INVALID_OPTION. */
export function parseTemplateMachine(value: unknown, source: CreateOptions): TemplateMachine {
  const { template: _, permissions, limits, ...own } = bagOf(value, optionNames);
  if (source.network !== undefined)
    throw invalidOption("template", "must be of a machine without the option network");
  const parsed = parseCreateOptions(own);
  const { audit, files, onBootTiming, onLimitWarning, tools } = parsed;
  const cwd = own["cwd"] === undefined ? "" : parsed.cwd;
  return {
    given: {
      ...source,
      cwd: cwd || source.cwd,
      env: { ...source.env, ...parsed.env },
      files,
      limits: parseLimits(limits, source.limits),
      tools,
      onBootTiming,
      ...(audit !== undefined && { audit }),
      ...(onLimitWarning !== undefined && { onLimitWarning }),
    },
    env: parsed.env,
    cwd,
    narrowing: permissions === undefined ? undefined : parseNarrowing(permissions),
  };
}
