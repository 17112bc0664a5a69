/**
 * Owns the door to the terminal's library. It is what the compiler sees: the build puts the library's own one file in
 * this module's place, because a browser looks nothing up in node_modules.
 */
export { Terminal } from "@xterm/xterm";
