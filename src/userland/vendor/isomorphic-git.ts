/**
 * Owns the door to the git library. It is what the compiler sees: the build puts the library's own one file in this
 * module's place, because nothing is looked up in node_modules inside a machine.
 */
export * from "isomorphic-git";
