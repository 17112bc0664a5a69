/**
 * Owns what a host tells a machine of code that a model wrote: which functions it may call, by which names, and how it is
 * written. The program around it is `src/guest/code-mode.ts`; what it sends is untrusted.
 */

/**
 * "body": of an async function. "function": an expression that is one, without parameters.
 * "any": either, or statements whose last one is an expression: its value is the outcome.
 */
export type CodeModeForm = "body" | "function" | "any";

export interface CodeModeFacts {
  /** What calls of this run carry. */
  id: string;
  /** What lines of the console begin with. */
  mark: string;
  /** The host tool that takes the calls. */
  toolName: string;
  /** Names of global functions. */
  functions: readonly string[];
  /** Names of global objects whose every property is a function. */
  namespaces: readonly string[];
  /** Statements that run before the code, or nothing. */
  prelude: string;
  form: CodeModeForm;
  code: string;
}

/** What the code came to, as text that `encodeValue` made. */
export type CodeModeAnswer =
  | { ok: true; value: unknown }
  | { ok: false; error: { name: string; message: string; stack?: string; code?: string } };
