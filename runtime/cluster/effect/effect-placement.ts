import { systemClock, within } from '../../base/clock.ts';
import { HoldfastError } from '../../base/errors.ts';
import type { Logger } from '../../base/logger.ts';
import { PARTITIONS } from '../../base/partition.ts';
import type { NodeDatabase } from '../../store/partitioned-store.ts';
import type { PostgresConnection } from '../../store/postgres/postgres-access.ts';
import { PostgresLine } from '../../store/postgres/postgres-line.ts';
import type { ClusterNode, Placement, PlacementListener } from '../placement.ts';
import { aliveNodes } from './alive-nodes.ts';
import { HeldPartitions } from './held-partitions.ts';
import { NodeTable, type NodeTableView } from './node-table.ts';
import type * as Engine from './sharding.ts';
import type { OpenedSharding, ShardingOptions } from './sharding.ts';

export interface EffectPlacementOptions {
  /** Where the other nodes reach this one. */
  readonly at: Pick<ClusterNode, 'host' | 'port'>;
  /** The database of the store. */
  readonly database: NodeDatabase;
  /** Reads its url, where that is a secret. */
  readonly readUrl: ((isRefused: boolean) => Promise<Uint8Array>) | undefined;
  /** Whether locks are rows instead of locks of sessions: for a pooler in transaction mode. Default: false. */
  readonly rowLocks?: boolean | undefined;
  /** Milliseconds for which a lock outlives its node; from {@link LEAST_LOCK_MS} to {@link MOST_LOCK_MS}. Default: 6000. */
  readonly lockMs?: number | undefined;
  /** Milliseconds after which a node that says nothing, or that most do not reach, is dead; at least {@link LEAST_DEAD_MS}. Default: 3000. */
  readonly silentMs?: number | undefined;
  readonly logger: Logger;
}

/** Milliseconds for which a lock outlives its node: a stall of the database or of this process that is a third as long ends nothing. */
const LOCK_MS = 6000;
/** Milliseconds between two looks at the nodes. */
const EVERY_MS = 1000;
/** So that a lock is kept at least once between two looks. */
export const LEAST_LOCK_MS = 3 * EVERY_MS;
/** So that the locks of a node that was killed run out well within the start of another. */
export const MOST_LOCK_MS = 20_000;
/** Two looks: less, and a node is dead whenever one is late. */
export const LEAST_DEAD_MS = 2 * EVERY_MS;
/** Milliseconds after which a node that says nothing, or that most do not reach, is dead: three looks. */
const SILENT_MS = 3000;
/** Milliseconds for the start: locks of a node that was killed run out meanwhile, several times over. */
const START_MS = 60_000;
/** Milliseconds for Effect to end. */
const STOP_MS = 10_000;
/** Milliseconds for an answer of the database: later, a look would tell of a time that is over. */
const ANSWER_MS = 5000;

/**
 * A placement that Effect's cluster decides, over locks in the database of the store: nodes come and go, each has its share, and
 * the partitions of one that dies go to the others. Gets this node a number. The packages `effect` and `@effect/sql-pg` have to be
 * installed; they are loaded here.
 *
 * @throws {HoldfastError} `OPTION_INVALID` for packages that are not there, and one node too many; `STORE_FAILED`
 */
export async function effectPlacement(options: EffectPlacementOptions): Promise<Placement> {
  const { at, database, readUrl, logger } = options;
  const { rowLocks = false, lockMs = LOCK_MS, silentMs = SILENT_MS } = options;
  const { access, schema } = database;
  const engine = await loadSharding();
  const connect = (isRefused = false): Promise<PostgresConnection> => access.config(readUrl, isRefused);
  const line = new PostgresLine({
    config: connect,
    mayRenew: access.urlRef !== undefined,
    where: access.where,
    warn: (fields, message) => logger.warn(fields, message),
    answerMs: ANSWER_MS,
    patienceMs: EVERY_MS,
  });
  const table = new NodeTable({ line, schema, at });
  try {
    const self = await table.join();
    return new EffectPlacement({
      at,
      self,
      table,
      line,
      logger,
      lockMs,
      silentMs,
      async open(calls) {
        await engine.migrateSharding({ connect, schema, log: logger });
        return engine.openSharding({ ...at, ...calls, connect, schema, rowLocks, log: logger });
      },
    });
  } catch (error) {
    await line.close();
    throw error;
  }
}

interface Parts {
  readonly at: Pick<ClusterNode, 'host' | 'port'>;
  readonly self: number;
  readonly table: NodeTable;
  readonly line: PostgresLine;
  readonly logger: Logger;
  readonly lockMs: number;
  readonly silentMs: number;
  readonly open: (
    calls: Pick<ShardingOptions, 'give' | 'takeBack' | 'isAlive' | 'lockMs' | 'everyMs'>,
  ) => Promise<OpenedSharding>;
}

class EffectPlacement implements Placement {
  readonly self: number;
  readonly #parts: Parts;
  /** When each other node was reached last. */
  readonly #reached = new Map<number, number>();
  readonly #reaching = new Set<number>();
  /** What is known of the nodes, and since when that was looked at without a gap. */
  #view: NodeTableView | undefined;
  #viewedAt = -Infinity;
  #viewedSince = -Infinity;
  #alive: ReadonlySet<number> = new Set();
  /** Since when each node is there, as far as was seen. */
  readonly #thereSince = new Map<number, number>();
  /** Since when this node is held to be dead by others. */
  #deadSince: number | undefined;
  #hasLeft = false;
  #isBlind = false;
  #held: HeldPartitions | undefined;
  #listener: PlacementListener | undefined;
  #sharding: Promise<OpenedSharding> | undefined;
  #looking: Promise<void> = Promise.resolve();
  #timer: unknown;
  #isStopped = false;
  #stopping: Promise<void> | undefined;
  #settled = (): void => {};
  #failed = (_error: unknown): void => {};

  constructor(parts: Parts) {
    this.#parts = parts;
    this.self = parts.self;
  }

  async start(listener: PlacementListener): Promise<void> {
    const { logger, lockMs, open } = this.#parts;
    this.#listener = listener;
    const isStarted = new Promise<void>((resolve, reject) => {
      this.#settled = resolve;
      this.#failed = reject;
    });
    isStarted.catch(() => {});
    const held = new HeldPartitions({
      listener,
      now: () => systemClock.now(),
      changed: () => this.#changed(),
      failed: (error) => {
        logger.warn({ error }, 'partitions could not be taken; they are tried again');
        this.#failed(error);
      },
    });
    this.#held = held;
    try {
      await this.#look();
      this.#sharding = open({
        lockMs,
        everyMs: EVERY_MS,
        give: (partition) => held.give(partition),
        takeBack: (partition, isUnkept) => held.takeBack(partition, isUnkept ? lockMs : 0),
        isAlive: (host, port) => this.#isAlive(host, port),
      });
      this.#sharding.catch(this.#failed);
      this.#again();
      await within(systemClock, START_MS, isStarted, () => this.#unsettled());
    } catch (error) {
      await this.stop();
      throw error;
    }
  }

  route(partition: number): number | undefined {
    if (this.#held?.has(partition) === true) return this.self;
    const owner = this.#view?.owners.get(partition);
    return owner !== undefined && owner !== this.self && this.#isThere(owner) ? owner : undefined;
  }

  nodes(): readonly ClusterNode[] {
    const { at } = this.#parts;
    const others = this.#view?.list.filter(({ node }) => node !== this.self && this.#isThere(node)) ?? [];
    return [...others, { node: this.self, ...at }].toSorted((a, b) => a.node - b.node);
  }

  stop(): Promise<void> {
    return (this.#stopping ??= this.#stop());
  }

  async #stop(): Promise<void> {
    const { table, line, logger } = this.#parts;
    this.#isStopped = true;
    systemClock.clearTimeout(this.#timer);
    this.#failed(new HoldfastError('RUNTIME_STOPPED', 'the node was stopped'));
    const left = async (what: string, work: Promise<unknown> | undefined): Promise<void> => {
      const late = (): Error => new Error(`it has not ended within ${STOP_MS} ms`);
      await within(systemClock, STOP_MS, Promise.resolve(work), late).catch((error: unknown) =>
        logger.warn({ error }, `${what} could not be ended in order; what it has runs out by itself`),
      );
    };
    await left('the partitions of this node', this.#held?.close());
    const sharding = this.#sharding?.then(
      (opened) => opened.close(),
      () => {},
    );
    await left('the cluster', sharding);
    await left('the number of this node', Promise.all([this.#looking, table.leave(this.self)]));
    await left('the connection to the database', line.close());
  }

  #isThere(node: number): boolean {
    return (this.#view?.nodes.get(node) ?? Infinity) <= this.#parts.silentMs;
  }

  /** Others' judgement, which is unknown before they were looked at for as long as they may be silent. */
  #isAlive(host: string, port: number): boolean {
    const found = this.#view?.list.find((one) => one.host === host && one.port === port);
    return found === undefined || !this.#isSeeing() || this.#alive.has(found.node);
  }

  /** Whether this node has seen the others long enough to say which are dead: after a stall of the database all seem to be. */
  #isSeeing(): boolean {
    return this.#viewedAt - this.#viewedSince >= this.#parts.silentMs;
  }

  #again(): void {
    if (this.#isStopped) return;
    this.#timer = systemClock.setTimeout(() => {
      this.#looking = this.#look()
        .catch((error: unknown) => {
          if (!this.#isBlind && !this.#isStopped)
            this.#parts.logger.warn({ error }, 'this node cannot see the others: the database is not there');
          this.#isBlind = true;
        })
        .finally(() => this.#again());
    }, EVERY_MS);
    systemClock.unref?.(this.#timer);
  }

  /** Tells others that this node is there and whom it has reached, and sees what they say. */
  async #look(): Promise<void> {
    const { table, silentMs } = this.#parts;
    this.#reachOthers();
    const begun = systemClock.now();
    const reached = new Map([...this.#reached].map(([node, at]) => [node, Math.max(0, begun - at)]));
    const isMine = await table.say(this.self, reached);
    const view = await table.look();
    if (this.#isStopped) return;
    const now = systemClock.now();
    if (now - this.#viewedAt > 2 * EVERY_MS) this.#viewedSince = now;
    this.#viewedAt = now;
    this.#isBlind = false;
    const before = this.nodes();
    this.#view = view;
    for (const { node } of before)
      if (node !== this.self && !this.#isThere(node)) {
        this.#reached.delete(node);
        this.#listener?.gone(node);
      }
    const newcomers = this.#newcomers(now);
    if (this.#isSeeing()) this.#alive = aliveNodes(view, silentMs, newcomers);
    await this.#judgeItself(isMine);
    const held = this.#held;
    held?.settle();
    held?.taken(held.since(begun).filter((partition) => view.owners.get(partition) !== this.self));
    this.#changed();
  }

  /** Nodes that are there, and not yet long enough for others to have reached them. */
  #newcomers(now: number): ReadonlySet<number> {
    const { silentMs } = this.#parts;
    for (const node of this.#view?.nodes.keys() ?? [])
      if (this.#isThere(node) && !this.#thereSince.has(node)) this.#thereSince.set(node, now);
    for (const node of this.#thereSince.keys()) if (!this.#isThere(node)) this.#thereSince.delete(node);
    return new Set([...this.#thereSince].filter(([, since]) => now - since < silentMs).map(([node]) => node));
  }

  #reachOthers(): void {
    const listener = this.#listener;
    if (listener === undefined) return;
    for (const node of this.nodes()) {
      if (node.node === this.self || this.#reaching.has(node.node)) continue;
      this.#reaching.add(node.node);
      const over = (): void => void this.#reaching.delete(node.node);
      listener
        .reach(node)
        .then(() => this.#reached.set(node.node, systemClock.now()))
        .then(over, over);
    }
  }

  /** A node that others hold dead lets go by itself: whoever judges may not reach it either. */
  async #judgeItself(isMine: boolean): Promise<void> {
    const { logger, silentMs } = this.#parts;
    if (!isMine) {
      logger.error(
        { node: this.self },
        'this node lets its partitions go: it was silent for so long that its number was given to another',
      );
      void this.stop();
      return;
    }
    if (!this.#isSeeing() || this.#alive.has(this.self)) {
      this.#deadSince = undefined;
      this.#hasLeft = false;
      return;
    }
    const now = systemClock.now();
    this.#deadSince ??= now;
    if (now - this.#deadSince < silentMs) return;
    if (!this.#hasLeft)
      logger.warn({ node: this.self }, 'this node lets its partitions go, since most others do not reach it');
    this.#hasLeft = true;
    await (await this.#sharding)?.leave();
  }

  /** A start is over when each partition has a node. */
  #changed(): void {
    for (let partition = 0; partition < PARTITIONS; partition++)
      if (this.route(partition) === undefined) return;
    this.#settled();
  }

  #unsettled(): HoldfastError {
    const all = Array.from({ length: PARTITIONS }, (_, partition) => partition);
    const none = all.filter((partition) => this.route(partition) === undefined);
    return new HoldfastError(
      'NODE_UNREACHABLE',
      `this node could not join the cluster within ${START_MS / 1000} s: ${none.length} of ${PARTITIONS} partitions are on no node. See ` +
        'what it has logged since, and whether the database lets it take advisory locks (behind a pooler in transaction mode give rowLocks)',
    );
  }
}

/** Effect is loaded when a cluster has chosen it, and not before: its packages are optional peers. */
async function loadSharding(): Promise<typeof Engine> {
  try {
    return await import('./sharding.ts');
  } catch (error) {
    const isMissing = (error as { code?: unknown } | undefined)?.code === 'ERR_MODULE_NOT_FOUND';
    throw new HoldfastError(
      'OPTION_INVALID',
      isMissing
        ? 'cluster(): with listen it needs packages that are not there: npm install effect@4 @effect/sql-pg@4 pg'
        : 'effect cannot be loaded; see the cause, and install the version that the documentation of Holdfast names',
      { cause: error },
    );
  }
}
