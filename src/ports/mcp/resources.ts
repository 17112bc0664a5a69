/**
 * Owns the resources of a server: the owner's, those that a template names, and the machine's files; and who has
 * subscribed to which.
 *
 * Invariants: a resource that has changed is told of at most once in `quietMs`; at most `subscriptionLimit` are watched for.
 * Untrusted: URIs.
 */
import { wireContents } from "./features.js";
import type { McpContext, McpFeatures, McpResourceContents } from "./features.js";
import { contentsOf, MachineFiles } from "./machine-files.js";
import type { Machines } from "./machines.js";
import { errorCodes, RequestError } from "./protocol.js";
import { uriMatcher } from "./uri-template.js";

const subscriptionLimit = 256;
const quietMs = 50;

export class Resources {
  readonly #resources: NonNullable<McpFeatures["resources"]>;
  readonly #templates: NonNullable<McpFeatures["resourceTemplates"]>;
  readonly #matchers: readonly ReturnType<typeof uriMatcher>[];
  readonly #files: MachineFiles;
  readonly #tell: (uri: string) => void;
  readonly #subscribed = new Set<string>();
  readonly #changed = new Set<string>();
  #timer: NodeJS.Timeout | undefined;

  /** `tell`: a resource with a subscription has changed. */
  constructor(features: McpFeatures, machines: Machines, tell: (uri: string) => void) {
    this.#resources = features.resources ?? [];
    this.#templates = features.resourceTemplates ?? [];
    this.#matchers = this.#templates.map(({ uriTemplate }) => uriMatcher(uriTemplate));
    this.#files = new MachineFiles(machines, (uri) => this.changed(uri));
    this.#tell = tell;
  }

  async list(): Promise<{ resources: unknown[] }> {
    const own = this.#resources.map(({ read: _read, ...shown }) => shown);
    return { resources: [...own, ...(await this.#files.list())] };
  }

  get #allTemplates(): NonNullable<McpFeatures["resourceTemplates"]> {
    return [...this.#templates, this.#files.template];
  }

  templates(): { resourceTemplates: unknown[] } {
    const resourceTemplates = this.#allTemplates.map(
      ({ read: _read, complete: _complete, ...shown }) => shown,
    );
    return { resourceTemplates };
  }

  async read(uri: string, context: McpContext): Promise<{ contents: McpResourceContents[] }> {
    return { contents: [wireContents(await this.#read(uri, context))] };
  }

  async #read(uri: string, context: McpContext): Promise<McpResourceContents> {
    const own = this.#resources.find((each) => each.uri === uri);
    if (own !== undefined) return contentsOf(uri, await own.read(context), own.mimeType);
    for (const [index, { read, mimeType }] of this.#templates.entries()) {
      const variables = this.#matchers[index]!(uri);
      if (variables !== undefined) return contentsOf(uri, await read(variables, context), mimeType);
    }
    const path = this.#files.pathOf(uri);
    if (path !== undefined) return this.#files.read(uri, path);
    throw new RequestError(errorCodes.noResource, `there is no resource ${uri}`);
  }

  /** What may complete an argument of a template; undefined for a template that there is not. */
  completionOf(uriTemplate: string, argument: string) {
    const template = this.#allTemplates.find((each) => each.uriTemplate === uriTemplate);
    if (template === undefined) return undefined;
    return template.complete?.[argument] ?? (() => []);
  }

  async subscribe(uri: string): Promise<void> {
    if (this.#subscribed.size >= subscriptionLimit && !this.#subscribed.has(uri))
      throw new RequestError(errorCodes.internal, `at most ${subscriptionLimit} subscriptions`);
    this.#subscribed.add(uri);
    const path = this.#pathWatched(uri);
    if (path === undefined) return;
    try {
      await this.#files.watch(uri, path);
    } catch (error) {
      this.#subscribed.delete(uri);
      throw error;
    }
  }

  async unsubscribe(uri: string): Promise<void> {
    if (!this.#subscribed.delete(uri)) return;
    const path = this.#pathWatched(uri);
    if (path !== undefined) await this.#files.unwatch(path);
  }

  /** A file of the machine that is no resource of the owner's. */
  #pathWatched(uri: string): string | undefined {
    const isOwn =
      this.#resources.some((each) => each.uri === uri) ||
      this.#matchers.some((matches) => matches(uri) !== undefined);
    return isOwn ? undefined : this.#files.pathOf(uri);
  }

  changed(uri: string): void {
    if (!this.#subscribed.has(uri)) return;
    this.#changed.add(uri);
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      for (const each of this.#changed) if (this.#subscribed.has(each)) this.#tell(each);
      this.#changed.clear();
    }, quietMs);
    this.#timer.unref();
  }

  dispose(): void {
    clearTimeout(this.#timer);
    this.#subscribed.clear();
  }
}
