/**
 * What the shell needs of the machine it runs on. All other files of this folder are pure: this interface is their only
 * way out.
 *
 * Strings that name files, arguments and variables are shell text: UTF-8 where
 * it is valid, a lone surrogate U+DC80…U+DCFF for every other byte. Use
 * `encodeText` and `decodeText` of text.ts at the border, so that any byte
 * string survives the round trip.
 */
import type {
  Descriptors,
  JobTerminal,
  Machine,
  Names,
  Offsets,
  OwnProcess,
  Pipes,
  Processes,
  Signals,
  Surroundings,
  Time,
} from "../system.js";

export interface ShellSystem
  extends
    OwnProcess,
    Surroundings,
    Machine,
    Descriptors,
    Pipes,
    Offsets,
    Names,
    Processes,
    Signals,
    Time {
  /** What job control and line editing need; left out where there are no terminals. */
  readonly terminal?: JobTerminal;
}
