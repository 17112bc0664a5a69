/**
 * Owns the sessions of one provider: who exists, by which id, for as long as the host process
 * lives.
 * Invariant: an id stands for one session; what has been destroyed is gone from here.
 */
import { Session } from "./session.js";
import type { SessionOptions } from "./session.js";

export class SessionRegistry {
  readonly #sessions = new Map<string, Session>();

  async create(options: SessionOptions): Promise<Session> {
    if (options.id !== undefined && this.#sessions.has(options.id))
      throw new Error(`there is a session ${JSON.stringify(options.id)} already`);
    const session = await Session.create(options);
    if (this.#sessions.has(session.id)) {
      await session.dispose();
      throw new Error(`there is a session ${JSON.stringify(session.id)} already`);
    }
    this.#sessions.set(session.id, session);
    return session;
  }

  /** A fork of a session, under an id of its own. */
  async fork(session: Session): Promise<Session> {
    const fork = await session.fork();
    this.#sessions.set(fork.id, fork);
    return fork;
  }

  /** undefined for one that is not there, or no longer. */
  find(id: string): Session | undefined {
    const session = this.#sessions.get(id);
    return session?.running === true ? session : undefined;
  }

  list(): Session[] {
    return [...this.#sessions.values()].filter(({ running }) => running);
  }

  /** Ends the machine. Whether there was one. */
  async destroy(id: string): Promise<boolean> {
    const session = this.#sessions.get(id);
    this.#sessions.delete(id);
    await session?.dispose();
    return session !== undefined;
  }

  async destroyAll(): Promise<void> {
    await Promise.all([...this.#sessions.keys()].map((id) => this.destroy(id)));
  }
}
