/**
 * Owns URI templates as far as resources need them, RFC 6570: `{name}` is a value without a slash, `{+name}` one that may
 * have some.
 * Invariant: a match takes time linear in the URI for each variable, and no expression has a repetition within one.
 * Untrusted: URIs. Templates are the owner's.
 */

/** A function that answers the variables of a URI, or undefined for one that the template does not fit. */
export function uriMatcher(
  template: string,
): (uri: string) => Readonly<Record<string, string>> | undefined {
  const names: string[] = [];
  const source = template.replace(
    /\{(\+?)(\w+)\}|[^{]+|\{/g,
    (part, reserved: string | undefined, name: string | undefined) => {
      if (name === undefined) return part.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&");
      names.push(name);
      return reserved === "+" ? "(.+)" : "([^/?#]+)";
    },
  );
  const expression = new RegExp(`^${source}$`, "su");
  return (uri) => {
    const match = expression.exec(uri);
    if (match === null) return undefined;
    try {
      return Object.fromEntries(
        names.map((name, index) => [name, decodeURIComponent(match[index + 1]!)]),
      );
    } catch {
      // An escape that is none.
      return undefined;
    }
  };
}
