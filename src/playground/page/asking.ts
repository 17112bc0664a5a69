/**
 * Owns the way to the server: requests, the stream of events, and the line that says what went wrong.
 * Untrusted: the text in answers and events.
 */
import type { Failure, PlaygroundEvent, PlaygroundRequests } from "../messages.js";
import { byId } from "./elements.js";
import { visible } from "./text.js";

export class Failed extends Error {
  constructor(readonly failure: Failure) {
    super(failure.message);
  }
}

/** Asks the server. Rejects with `Failed`. */
export async function ask<K extends keyof PlaygroundRequests>(
  name: K,
  body: PlaygroundRequests[K][0],
): Promise<PlaygroundRequests[K][1]> {
  const response = await fetch(name, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  const text = await response.text();
  if (response.headers.get("content-type") !== "application/json")
    throw new Failed({ code: "", message: text.trim(), remedy: "" });
  const answer = JSON.parse(text) as PlaygroundRequests[K][1] | { error: Failure };
  if (!response.ok && "error" in answer) throw new Failed(answer.error);
  return answer as PlaygroundRequests[K][1];
}

/** A failure in a line. */
export function sentenceOf({ code, message, remedy }: Failure): string {
  return visible([message, code === "" ? "" : `[${code}]`, remedy].filter(Boolean).join(" "));
}

/** Says something in the line that screen readers read out. */
export function notify(text: string): void {
  byId("notice", HTMLElement).textContent = visible(text);
}

/** Does something that may fail, and says so. */
export function attempt(action: () => Promise<void>): void {
  action().catch((error: unknown) => {
    const failure =
      error instanceof Failed
        ? error.failure
        : {
            code: "",
            message: "the playground does not answer; is its command still running?",
            remedy: "",
          };
    notify(sentenceOf(failure));
  });
}

type Listener = (event: PlaygroundEvent) => void;

/** Calls `listener` for each event from now on; the browser connects again by itself. */
export function listen(listener: Listener, connected: (open: boolean) => void): void {
  const source = new EventSource("events");
  source.addEventListener("message", ({ data }: MessageEvent<string>) =>
    listener(JSON.parse(data) as PlaygroundEvent),
  );
  source.addEventListener("open", () => connected(true));
  source.addEventListener("error", () => connected(false));
}
