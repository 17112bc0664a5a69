/** Owns `tsort`: an order in which nothing comes before what it needs. */
import { CommandFailure, type Command } from "../command.js";
import { errorText } from "../support/errors.js";
import { openInput, readAll } from "../support/input.js";
import { parseOptions, usageFailure } from "../support/options.js";
import { byteString, quoted } from "../support/text.js";

export const main: Command = (context) => {
  const [name = "-", extra] = parseOptions(context, "").operands;
  if (extra !== undefined) throw usageFailure(context, `extra operand ${quoted(extra)}`);
  let text: string;
  try {
    text = byteString(readAll(openInput(context, name)));
  } catch (error) {
    throw new CommandFailure(`${name}: ${errorText(error)}`);
  }
  const words = text.split(/[ \t\n]+/).filter((word) => word !== "");
  if (words.length % 2 !== 0)
    throw new CommandFailure(`${name}: input contains an odd number of tokens`);
  const followers = new Map<string, string[]>();
  const needs = new Map<string, number>();
  const know = (word: string) => {
    if (followers.has(word)) return;
    followers.set(word, []);
    needs.set(word, 0);
  };
  for (let at = 0; at < words.length; at += 2) {
    const [before, after] = [words[at]!, words[at + 1]!];
    know(before);
    know(after);
    if (before === after) continue;
    followers.get(before)!.unshift(after);
    needs.set(after, needs.get(after)! + 1);
  }
  // Byte order among those that are free at the beginning, then as they become free.
  const free = [...needs]
    .filter(([, count]) => count === 0)
    .map(([word]) => word)
    .sort();
  let status = 0;
  let left = followers.size;
  const done = new Set<string>();
  while (left > 0) {
    for (let word = free.shift(); word !== undefined; word = free.shift()) {
      context.writeBytes(`${word}\n`);
      done.add(word);
      left--;
      for (const next of followers.get(word)!) {
        const count = needs.get(next)! - 1;
        needs.set(next, count);
        if (count === 0 && !done.has(next)) free.push(next);
      }
    }
    if (left === 0) break;
    const loop = findLoop(followers, done);
    context.writeError(
      `tsort: ${name}: input contains a loop:\n${loop.map((word) => `tsort: ${word}\n`).join("")}`,
    );
    status = 1;
    // The loop is cut at its last edge.
    const [from, to] = [loop.at(-1)!, loop[0]!];
    const list = followers.get(from)!;
    const edges = list.length;
    followers.set(
      from,
      list.filter((word) => word !== to),
    );
    const removed = edges - followers.get(from)!.length;
    needs.set(to, needs.get(to)! - removed);
    if (needs.get(to) === 0) free.push(to);
  }
  return status;
};

function findLoop(followers: Map<string, string[]>, done: Set<string>): string[] {
  const path: string[] = [];
  const place = new Map<string, number>();
  let word = [...followers.keys()].filter((each) => !done.has(each)).find((each) => canGoOn(each))!;
  function canGoOn(each: string): boolean {
    return followers.get(each)!.some((next) => !done.has(next));
  }
  for (;;) {
    const seen = place.get(word);
    if (seen !== undefined) return path.slice(seen);
    place.set(word, path.length);
    path.push(word);
    const next = followers.get(word)!.find((each) => !done.has(each) && canGoOn(each));
    // A dead end is no part of a loop: it is passed by from then on.
    if (next === undefined) {
      done.add(word);
      path.length = 0;
      place.clear();
      word = [...followers.keys()].filter((each) => !done.has(each)).find((each) => canGoOn(each))!;
    } else word = next;
  }
}
