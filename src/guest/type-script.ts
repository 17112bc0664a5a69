/**
 * Owns what becomes of a text of TypeScript that the host gave, as a program or as a snippet of a resident runner.
 * Modules of files go the engine's own way.
 *
 * Untrusted: the text. What comes of it is run as any other.
 */
import type { EngineTools } from "./environment.js";

/**
 * Takes the types out, so that all else stays where it was; a text with enums, namespaces or parameter properties, which
 * stand for something, is compiled instead by the same parser.
 */
export function stripTypes(requireBuiltin: EngineTools["requireBuiltin"], source: string): string {
  try {
    return requireBuiltin("module").stripTypeScriptTypes(source) as string;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ERR_UNSUPPORTED_TYPESCRIPT_SYNTAX") throw error;
    const { transformSync } = requireBuiltin("internal/deps/amaro/dist/index");
    return transformSync(source, { mode: "transform", sourceMap: false }).code as string;
  }
}
