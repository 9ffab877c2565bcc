import { agentOf } from '../base/address.ts';
import { type Clock, systemClock } from '../base/clock.ts';
import { HoldfastError } from '../base/errors.ts';
import { PARTITIONS, partitionOf } from '../base/partition.ts';
import { tooLate } from '../dead-letters/refusal.ts';
import type { AgentRef } from '../instance/agent-ref.ts';
import type { DurableStore } from '../store/durable-store.ts';
import { Waiting, type WaitOptions } from '../mailbox/waiting.ts';
import { isPartitioned, type PartitionedStore } from '../store/partitioned-store.ts';
import type { JoinedNode, LocalNode, RemoteSpawn } from '../system/cluster.ts';
import type { FoundInstance } from '../system/found-instance.ts';
import type { NodeShare } from '../system/node-share.ts';
import type { ClusterStatus, NodeStatus, RuntimeFigures } from '../telling/status.ts';
import type { Encoded } from '../wire/encoded-state.ts';
import { Answers, asOfNode } from './answers.ts';
import type { ClusterTls } from './link-tls.ts';
import { asAgentRef } from './far-members.ts';
import { CallOrder } from './call-order.ts';
import { keptFar } from './kept-far.ts';
import { type Call, type Hello, PROTOCOL } from './messages.ts';
import { type LinkWait, NodeLink } from './node-link.ts';
import { NodeMirror } from './node-mirror.ts';
import { NodeRef } from './node-ref.ts';
import { type CallWait, NodeServer } from './node-server.ts';
import { PartWindow } from './part-window.ts';
import type { ClusterNode, Placement } from './placement.ts';
import { Wants } from './wants.ts';

export interface NodeOptions {
  /** Joins the other nodes, as what says which of them has which partition. Called once, when the runtime opens. */
  readonly join: (store: PartitionedStore, local: LocalNode) => Placement | Promise<Placement>;
  /** What nodes show each other. Undefined: nothing. */
  readonly tls: ClusterTls | undefined;
  /** Milliseconds after which a node that says nothing is not reached. Default 3000. */
  readonly silentMs: number | undefined;
}

/** One node of a cluster: has its runtime run the instances of its partitions, and reaches those of others. */
export class PlacedNode implements JoinedNode {
  readonly share: NodeShare;
  readonly #options: NodeOptions;
  readonly #store: PartitionedStore;
  readonly #clock: Clock = systemClock;
  readonly #held = new Set<number>();
  readonly #links = new Map<number, NodeLink>();
  /** Those who wait for answers of other nodes. */
  readonly #waiting = new Waiting(this.#clock);
  /** For each address to which something is on its way from here. */
  readonly #orders = new Map<string, CallOrder>();
  /** What is observed here of instances on other nodes, by address. */
  readonly #mirrors = new Map<string, NodeMirror>();
  /** Rows wait for nothing any more. */
  #isReleased = false;
  #local!: LocalNode;
  /** Undefined: this node has not joined yet. */
  #joined: Placement | undefined;
  #answers!: Answers;
  #server: NodeServer | undefined;

  /** @throws {HoldfastError} `OPTION_INVALID` for a store that one process has alone */
  constructor(store: DurableStore, options: NodeOptions) {
    if (!isPartitioned(store))
      throw new HoldfastError(
        'OPTION_INVALID',
        'createRuntime(): with cluster the store has to be one that several processes have open together: postgresStore()',
      );
    this.#options = options;
    this.#store = store;
    const self = (): number | undefined => this.#joined?.self;
    this.share = {
      get node() {
        return self();
      },
      owns: (address) => this.#held.has(partitionOf(address)),
      nudge: (address) => this.#linkOf(address)?.nudge(address),
      begin: (address) => this.#spawn('getOrSpawn', address, {}),
      ask: (address, kind, value, { timeoutMs, depth, origin }) =>
        this.#call({ kind: kind === 'ask' ? kind : 'deliver', address, value, depth, origin }, { timeoutMs }),
      watch: (address, listener) => this.ref(address).watch(listener),
      ...keptFar({ call: (call, wait) => this.#call(call, wait), waiting: this.#waiting }),
      status: () => this.#status(),
      figuresOf: (node) => this.#figuresOf(node),
      release: () => {
        this.#isReleased = true;
        for (const order of this.#orders.values()) order.release();
      },
    };
  }

  async open(local: LocalNode, openStore: () => Promise<void>): Promise<void> {
    this.#local = local;
    this.#joined = await this.#options.join(this.#store, local);
    await openStore();
    // Others see that this node is there before it has partitions, and what they ask waits until it has.
    const start = Promise.withResolvers<void>();
    start.promise.catch(() => {});
    await this.#listen(start.promise);
    const starting = this.#placement.start({
      reach: async (node) => this.#linkAt(node).ping(REACH_MS),
      gone: (node) => {
        this.#links.get(node)?.abandon();
        this.#links.delete(node);
      },
      take: async (partitions) => {
        await this.#store.take(partitions);
        for (const partition of partitions) this.#held.add(partition);
      },
      lost: (partitions) => {
        this.#store.lost(partitions);
        for (const partition of partitions) this.#held.delete(partition);
        const gone = new Set(partitions);
        local.system.lost((address) => gone.has(partitionOf(address)));
      },
    });
    start.resolve(starting);
    await starting;
    for (const { node } of this.#placement.nodes()) this.#linkTo(node)?.stay();
  }

  isAway(address: string): boolean {
    if (this.share.owns(address)) return false;
    const { system } = this.#local;
    // One that is not in the store is where it was started.
    return system.isPlaced(address) && (system.get(address) === undefined || system.outlives(address));
  }

  ref(address: string): AgentRef {
    const ref = new NodeRef({
      address,
      agent: agentOf(address),
      node: () => this.#placement.route(partitionOf(address)),
      call: (call, wait) => this.#callOfProgram(call, wait),
      waiting: this.#waiting,
      keep: (to, event, at) => this.#keep(to, event, at),
      mirror: (last) => this.#mirrorOf(address, last),
      unsent: (error) => this.#local.system.unsent(address, error),
      warn: (fields, message) => this.#local.system.warn(fields, message),
    });
    return asAgentRef(ref, this.#local.system.threadIdOf(ref.agent));
  }

  async spawn(
    kind: 'spawn' | 'getOrSpawn',
    address: string,
    { input, snapshot }: RemoteSpawn,
  ): Promise<AgentRef> {
    await this.#spawn(kind, address, { input, snapshot });
    return this.ref(address);
  }

  async #spawn(kind: 'spawn' | 'getOrSpawn', address: string, value: RemoteSpawn): Promise<void> {
    await this.#call({ kind, address, value }, { timeoutMs: SPAWN_MS });
  }

  async find(address: string): Promise<FoundInstance | undefined> {
    const found = await this.#call({ kind: 'find', address }, { timeoutMs: FIND_MS });
    return found as FoundInstance | undefined;
  }

  async #listen(started: Promise<void>): Promise<void> {
    const { tls } = this.#options;
    const placement = this.#placement;
    const at = placement.nodes().find(({ node }) => node === placement.self) as ClusterNode;
    const { system, spawn, getOrSpawn } = this.#local;
    const answers = (this.#answers = new Answers({
      clock: this.#clock,
      get: (address) => (this.isAway(address) ? undefined : system.get(address)),
      reach: (address) => system.reach(address),
      open: (...given) => system.open(...given),
      nudged: (address) => system.nudged(address),
      spawn,
      getOrSpawn,
      find: (address) => system.find(address),
      figures: () => system.figures(),
      keep: (...event) => system.keep(...event),
      keepStream: (...event) => system.keepStream(...event),
      scrub: system.scrubber.scrub,
      isAway: (address) => this.isAway(address),
    }));
    const server = new NodeServer({
      at,
      hello: this.#hello,
      tls,
      clock: this.#clock,
      answer: (call, wait) =>
        started
          .then(() => answers.answer(call, wait))
          .catch((error: unknown) => {
            throw asOfNode(error, call, at.node);
          }),
      nudged: (address) => answers.nudged(address),
      warn: (fields, message) => system.warn(fields, message),
    });
    this.#server = server;
    await server.listen();
  }

  readonly #hello = (): Hello => ({
    holdfast: PROTOCOL,
    node: this.#placement.self,
    store: this.#local.system.storeId ?? '',
  });

  get #placement(): Placement {
    if (this.#joined !== undefined) return this.#joined;
    throw new HoldfastError(
      'NODE_UNREACHABLE',
      'this node has not joined the others yet; wait for createRuntime()',
    );
  }

  #status(): ClusterStatus | undefined {
    const placement = this.#joined;
    if (placement === undefined) return undefined;
    const partitions = new Map<number, number>();
    for (let partition = 0; partition < PARTITIONS; partition += 1) {
      const node = placement.route(partition);
      if (node !== undefined) partitions.set(node, (partitions.get(node) ?? 0) + 1);
    }
    return {
      node: placement.self,
      nodes: placement.nodes().map((one) => this.#statusOf(one, partitions.get(one.node) ?? 0)),
    };
  }

  async #figuresOf(node: number): Promise<RuntimeFigures> {
    if (node === this.#placement.self) return this.#local.system.figures();
    const link = this.#linkTo(node);
    if (link === undefined)
      throw new HoldfastError('NODE_UNREACHABLE', `node ${node} is not there any more; list the nodes again`);
    const figures = link.call({ kind: 'figures', address: `node ${node}` }, { timeoutMs: FIGURES_MS });
    return (await figures) as RuntimeFigures;
  }

  #statusOf({ node, host, port }: ClusterNode, routed: number): NodeStatus {
    const at = `${host.includes(':') ? `[${host}]` : host}:${port}`;
    if (node === this.#placement.self) return { node, at, partitions: this.#held.size, reachable: true };
    const { reachable = false, why } = this.#links.get(node)?.health ?? {};
    return { node, at, partitions: routed, reachable, ...(why !== undefined && { why }) };
  }

  #linkOf(address: string): NodeLink | undefined {
    return this.#linkTo(this.#placement.route(partitionOf(address)));
  }

  #linkTo(number: number | undefined): NodeLink | undefined {
    const placement = this.#placement;
    const node = number === placement.self ? undefined : placement.nodes().find((one) => one.node === number);
    return node && this.#linkAt(node);
  }

  #linkAt(node: ClusterNode): NodeLink {
    const before = this.#links.get(node.node);
    if (before?.isTo(node) === true) return before;
    // Another node may get the number of one that has ended.
    before?.abandon();
    const { tls, silentMs } = this.#options;
    const [clock, waiting] = [this.#clock, this.#waiting];
    const { system } = this.#local;
    const secretIn = (encoded: Encoded): readonly string[] | undefined => system.secretIn(encoded);
    const link = new NodeLink({ node, hello: this.#hello, tls, clock, silentMs, waiting, secretIn });
    this.#links.set(node.node, link);
    return link;
  }

  /** Has those who observe messages hear of an ask or a delivery as of one at home, and its trace go with it. */
  #callOfProgram(call: Call, wait: LinkWait): Promise<unknown> {
    const { kind, address, id } = call;
    const isObserved = (kind === 'ask' || kind === 'deliver') && id === undefined;
    const sending = isObserved
      ? this.#local.system.messages.begin(agentOf(address), address, kind)
      : undefined;
    if (sending === undefined) return this.#call(call, wait);
    const { trace, ended } = sending;
    const answer = this.#call({ ...call, origin: { headers: trace?.headers ?? undefined } }, wait);
    if (ended !== undefined)
      answer.then(
        () => ended(),
        (error: unknown) => ended(error ?? null),
      );
    return answer;
  }

  #call(call: Call, wait: LinkWait): Promise<unknown> {
    return this.#orderOf(call.address).call((turn) => this.#callInTurn(call, { ...wait, turn }));
  }

  #orderOf(address: string): CallOrder {
    const before = this.#orders.get(address);
    if (before !== undefined) return before;
    const order = new CallOrder({
      address,
      placed: () => this.#callInTurn({ kind: 'placed', address }, { timeoutMs: PLACED_MS }),
      idle: () => {
        if (this.#orders.get(address) === order) this.#orders.delete(address);
      },
    });
    if (this.#isReleased) order.release();
    this.#orders.set(address, order);
    return order;
  }

  #callInTurn(call: Call, wait: LinkWait): Promise<unknown> {
    const { address } = call;
    const link = this.#linkOf(address);
    if (link !== undefined) return link.call(call, wait);
    // The address may have come to this node since the reference was made.
    if (this.share.owns(address)) return this.#callHere(call, wait);
    return Promise.reject(
      new HoldfastError(
        'NODE_UNREACHABLE',
        `${address} is on no node that is known here, and it was not sent; try again`,
      ),
    );
  }

  #callHere(
    call: Call,
    { timeoutMs, signal, stream, wants = new Wants(call.value), turn = (begin) => begin() }: LinkWait,
  ): Promise<unknown> {
    const { address, kind } = call;
    const [controller, window] = [new AbortController(), new PartWindow()];
    const seat = { credit: (_tag: number, taken: number) => void (taken > 0 && window.taken(taken)) };
    const wait: CallWait = {
      timeoutMs: stream === undefined ? timeoutMs : Infinity,
      signal: controller.signal,
      write(part) {
        stream?.take(seat, [part], 0, 0);
        return window.add(0);
      },
      again: () => stream?.again?.(),
      wants,
    };
    const options: WaitOptions = {
      timeoutMs,
      signal,
      stream,
      onTimeout: (ms) => tooLate(address, kind === 'ask' ? 'ask' : 'delivery', ms),
      settled() {
        window.close();
        controller.abort(signal?.reason);
      },
    };
    return this.#waiting.open('ask', options, (tag) => {
      turn(() => {
        this.#answers.answer(call, wait).then(
          (answer) => this.#waiting.resolve(tag, answer),
          (error: unknown) => this.#waiting.reject(tag, error),
        );
      });
    });
  }

  #keep(address: string, event: unknown, at?: number): Promise<void> {
    return this.#local.system.keepRow(address, event, at, (keep) => this.#orderOf(address).keep(keep));
  }

  /** What is observed of an address: one for all who do, and else the last one, as long as that has not ended. */
  #mirrorOf(address: string, last: NodeMirror | undefined): NodeMirror {
    const known = this.#mirrors.get(address) ?? (last?.isOver === false ? last : undefined);
    if (known !== undefined) return known;
    const { deadLetters, warn, logger } = this.#local.system;
    return new NodeMirror({
      address,
      clock: this.#clock,
      call: (call, wait) => this.#call(call, wait),
      waiting: this.#waiting,
      warn: (fields, message) => warn(fields, message),
      leftOut: (lost) => {
        const letter = { address, reason: 'mailbox-full', event: undefined, incarnation: 0, lost } as const;
        deadLetters.add({ ...letter, toHost: true });
      },
      observed: (error, what) =>
        logger.error(
          { address, error },
          what === 'observer' ? 'an observer threw' : 'an instance on another node is observed no more',
        ),
      used: (mirror) => void this.#mirrors.set(address, mirror),
      unused: () => void this.#mirrors.delete(address),
    });
  }

  async close(): Promise<void> {
    const stopped = new HoldfastError(
      'RUNTIME_STOPPED',
      'the runtime of this node has stopped; start it again',
    );
    for (const mirror of this.#mirrors.values()) mirror.close();
    for (const link of this.#links.values()) link.close(stopped);
    await this.#joined?.stop();
    await this.#server?.close();
  }
}

/** Milliseconds in which a node that is there says so. */
const REACH_MS = 1000;
/** Milliseconds for the start of an instance on another node, its thread included. */
const SPAWN_MS = 30_000;
/** Milliseconds for what a node says of itself, which comes at once. */
const FIGURES_MS = 3000;
/** Milliseconds for a look into the memory of another node, and into the store. */
const FIND_MS = 5000;
/** Milliseconds for which what is sent waits until its node says that what was asked before has its place: as long as for a start. */
const PLACED_MS = SPAWN_MS;
