/**
 * Owns what --pending-deprecation says of the environment: a variable gets a value that is no text,
 * number or truth. EnvSetter of src/node_env_var.cc would say it; what it asks for the option is
 * what the engine was started with.
 */

const message =
  "Assigning any value other than a string, number, or boolean to a process.env property is deprecated. " +
  "Please make sure to convert the value to a string before setting process.env with it.";

const { defineProperty, getOwnPropertyDescriptor, set } = Reflect;

/** Once, before the program runs. */
export function deprecateLooseVariables(): void {
  let told = false;
  const { env } = process;
  const watched = new Proxy(env, {
    set(target, name, value: unknown): boolean {
      if (!told && !["string", "number", "boolean"].includes(typeof value)) {
        told = true;
        process.emitWarning(message, "DeprecationWarning", "DEP0104");
      }
      return set(target, name, value);
    },
    // The engine's own object has a say in what becomes of a descriptor.
    defineProperty: (target, name, descriptor) => defineProperty(target, name, descriptor),
  });
  defineProperty(process, "env", {
    ...getOwnPropertyDescriptor(process, "env"),
    value: watched,
  });
}
