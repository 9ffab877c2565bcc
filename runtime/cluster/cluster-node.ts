import { addressOf, agentOf } from '../base/address.ts';
import { type Clock, systemClock } from '../base/clock.ts';
import { HoldfastError } from '../base/errors.ts';
import { partitionOf } from '../base/partition.ts';
import { openRuntime, type Runtime, type RuntimeOptions, type ServedSystem } from '../runtime.ts';
import type { RuntimeConfig } from '../config/schema.ts';
import type { AgentRef } from '../instance/agent-ref.ts';
import { isPartitioned } from '../store/partitioned-store.ts';
import type { DurableStore } from '../store/durable-store.ts';
import { Answers, asOfNode } from './answers.ts';
import { assertLinkIsSafe, type LinkTls } from './link-tls.ts';
import { type Call, type Hello, PROTOCOL } from './messages.ts';
import { NodeLink } from './node-link.ts';
import { NodeRef } from './node-ref.ts';
import { NodeServer } from './node-server.ts';
import type { ClusterNode, Placement } from './placement.ts';

export interface ClusterOptions extends Omit<RuntimeOptions, 'store'> {
  /** The store that all nodes have open. */
  readonly store: DurableStore;
  readonly placement: Placement;
  /** What nodes show each other. Default: nothing, and then all of them have to listen on loopback. */
  readonly tls?: LinkTls | undefined;
  /** Milliseconds after which a node that says nothing is not reached. Default 3000. */
  readonly silentMs?: number | undefined;
}

/** One node of a cluster: a runtime that runs the instances of its partitions, and reaches those of others. */
export class ClusterNodeRuntime {
  readonly #options: ClusterOptions;
  readonly #clock: Clock = systemClock;
  readonly #held = new Set<number>();
  readonly #links = new Map<number, NodeLink>();
  /** For each address the last event of this node that is on its way into the store. */
  readonly #rows = new Map<string, Promise<unknown>>();
  #system!: ServedSystem;
  #server!: NodeServer;
  #runtime!: Runtime;
  #stopping: Promise<void> | undefined;

  private constructor(options: ClusterOptions) {
    this.#options = options;
  }

  /**
   * Starts a runtime as one node of several.
   *
   * @throws {HoldfastError} `CLUSTER_PLAIN`; `OPTION_INVALID` for a store that one process has alone; and as `createRuntime`
   */
  static async open(
    config: RuntimeConfig | string | URL,
    options: ClusterOptions,
  ): Promise<ClusterNodeRuntime> {
    const { placement, tls, store, silentMs: _, ...rest } = options;
    assertLinkIsSafe(placement.nodes(), tls);
    if (!isPartitioned(store))
      throw new HoldfastError(
        'OPTION_INVALID',
        'the store is one that a single process has open; nodes share one in PostgreSQL: postgresStore()',
      );
    const node = new ClusterNodeRuntime(options);
    const surroundings = {
      share: {
        node: placement.self,
        owns: (address: string) => node.#held.has(partitionOf(address)),
        nudge: (address: string) => node.#linkTo(address)?.nudge(address),
        begin: (address: string) => node.#begin(address, undefined),
        ask: (address: string, kind: 'ask' | 'delivery', value: object, timeoutMs: number) =>
          node.#call({ kind: kind === 'ask' ? kind : 'deliver', address, value }, { timeoutMs }),
      },
      onSystem: (system: ServedSystem) => void (node.#system = system),
      onStore: async (open: () => Promise<void>) => {
        await open();
        await placement.start({
          take: async (partitions) => {
            await store.take(partitions);
            for (const partition of partitions) node.#held.add(partition);
          },
          lost: (partitions) => {
            store.lost(partitions);
            for (const partition of partitions) node.#held.delete(partition);
            const gone = new Set(partitions);
            node.#system.lost((address) => gone.has(partitionOf(address)));
          },
        });
        await node.#listen();
      },
    };
    try {
      node.#runtime = await openRuntime(config as RuntimeConfig, { ...rest, store }, surroundings);
    } catch (error) {
      await node.#close();
      throw error;
    }
    return node;
  }

  /** The runtime of this node: of durable agents it has those instances alone that belong here. */
  get runtime(): Runtime {
    return this.#runtime;
  }

  /** The instance at an address, here or on another node, whether it exists or not; undefined: it is of no durable agent, and not here. */
  ref(address: string): AgentRef | NodeRef | undefined {
    // One whose partition was lost is still here while it ends.
    if (this.#runsHere(address)) return this.#system.get(address);
    return new NodeRef({
      address,
      agent: agentOf(address),
      node: () => this.#options.placement.route(partitionOf(address)),
      call: (call, wait) => this.#call(call, wait),
      keep: (to, event, at) => this.#keep(to, event, at),
      unsent: (error) => this.#system.unsent(address, error),
    });
  }

  /** Starts an instance on the node that it belongs to, unless it is there. */
  async getOrSpawn(
    agent: string,
    id: string,
    options: { readonly input?: unknown } = {},
  ): Promise<AgentRef | NodeRef> {
    const address = addressOf(agent, id);
    if (this.#runsHere(address)) return this.#runtime.getOrSpawn(agent as never, id, options as never);
    await this.#begin(address, options.input);
    return this.ref(address) as NodeRef;
  }

  async #begin(address: string, value: unknown): Promise<void> {
    await this.#call({ kind: 'getOrSpawn', address, value }, { timeoutMs: SPAWN_MS });
  }

  /** Stops the runtime, and says nothing more to other nodes. */
  stop(): Promise<void> {
    return (this.#stopping ??= this.#runtime.stop().finally(() => this.#close()));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  #runsHere(address: string): boolean {
    return this.#held.has(partitionOf(address)) || !this.#system.isPlaced(address);
  }

  async #listen(): Promise<void> {
    const { placement, tls } = this.#options;
    const at = placement.nodes().find(({ node }) => node === placement.self) as ClusterNode;
    const system = this.#system;
    const answers = new Answers({
      clock: this.#clock,
      get: (address) => (this.#runsHere(address) ? system.get(address) : undefined),
      reach: (address) => system.reach(address),
      nudged: (address) => system.nudged(address),
      spawn: (agent, id, input) => this.#runtime.spawn(agent as never, { id, input } as never),
      getOrSpawn: (agent, id, input) => this.#runtime.getOrSpawn(agent as never, id, { input } as never),
      scrub: system.scrubber.scrub,
    });
    this.#server = new NodeServer({
      at,
      hello: this.#hello,
      tls,
      clock: this.#clock,
      answer: (call, wait) =>
        answers.answer(call, wait).catch((error: unknown) => {
          throw asOfNode(error, call, at.node);
        }),
      nudged: (address) => answers.nudged(address),
      warn: (fields, message) => system.warn(fields, message),
    });
    await this.#server.listen();
  }

  readonly #hello = (): Hello => ({
    holdfast: PROTOCOL,
    node: this.#options.placement.self,
    store: this.#system.storeId ?? '',
  });

  #linkTo(address: string): NodeLink | undefined {
    const { placement, tls, silentMs } = this.#options;
    const of = placement.route(partitionOf(address));
    const node = of === placement.self ? undefined : placement.nodes().find((one) => one.node === of);
    if (node === undefined) return undefined;
    let link = this.#links.get(node.node);
    if (link === undefined) {
      link = new NodeLink({ node, hello: this.#hello, tls, clock: this.#clock, silentMs });
      this.#links.set(node.node, link);
    }
    return link;
  }

  async #call(call: Call, wait: { timeoutMs: number; signal?: AbortSignal | undefined }): Promise<unknown> {
    const { address } = call;
    const link = this.#linkTo(address);
    if (link === undefined)
      throw new HoldfastError(
        'NODE_UNREACHABLE',
        `${address} is on no node that is known here, and it was not sent; try again`,
      );
    const before = this.#rows.get(address);
    if (before === undefined) return link.call(call, wait);
    // What this node has sent before is in the store before the call is there.
    const since = this.#clock.now();
    await before.catch(() => {});
    return link.call(call, { ...wait, timeoutMs: Math.max(1, wait.timeoutMs - (this.#clock.now() - since)) });
  }

  #keep(address: string, event: unknown, at?: number): Promise<void> {
    const keeping = this.#system.keepRow(address, event, at);
    this.#rows.set(address, keeping);
    const over = (): void => {
      if (this.#rows.get(address) === keeping) this.#rows.delete(address);
    };
    keeping.then(over, over);
    return keeping;
  }

  async #close(): Promise<void> {
    const stopped = new HoldfastError(
      'RUNTIME_STOPPED',
      'the runtime of this node has stopped; start it again',
    );
    for (const link of this.#links.values()) link.close(stopped);
    await this.#options.placement.stop();
    await this.#server?.close();
  }
}

/** Milliseconds for the start of an instance on another node, its thread included. */
const SPAWN_MS = 30_000;
