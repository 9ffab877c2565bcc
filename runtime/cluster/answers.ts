import { partsOf } from '../base/address.ts';
import type { Clock } from '../base/clock.ts';
import { HoldfastError } from '../base/errors.ts';
import { refusal, tooLate } from '../dead-letters/refusal.ts';
import type { AgentRef } from '../instance/agent-ref.ts';
import type { AskStream } from '../instance/ask-stream.ts';
import type { NodeShare } from '../system/node-share.ts';
import type { LocalNode } from '../system/cluster.ts';
import { encodeSnapshot } from '../wire/snapshot.ts';
import type { Call, CallKind } from './messages.ts';
import { mirrored } from './mirror-source.ts';
import type { CallWait } from './node-server.ts';

export interface AnswersOptions {
  readonly clock: Pick<Clock, 'now'>;
  /** The instance of an address in memory. */
  readonly get: (address: string) => AgentRef | undefined;
  /** Wakes an instance that has a record. */
  readonly reach: (address: string) => Promise<AgentRef>;
  /** Has an instance look for rows that other nodes have written; settles when it has. */
  readonly nudged: (address: string) => Promise<void>;
  readonly spawn: (agent: string, id: string, input: unknown) => Promise<AgentRef>;
  readonly getOrSpawn: (agent: string, id: string, input: unknown) => Promise<AgentRef>;
  /** Looks an instance up, and wakes nobody. */
  readonly find: (address: string) => Promise<unknown>;
  /** What this node says of itself, without values of secrets. */
  readonly figures: () => unknown;
  /** Does once what somebody else than the program gives an id, with an instance that is in memory. */
  readonly keep: NodeShare['keep'];
  readonly keepStream: (
    ...asked: Parameters<NodeShare['keepStream']>
  ) => ReturnType<NodeShare['keepStream']> | undefined;
  /** Asks an instance in memory, or delivers to it, an event that comes from elsewhere than this program. */
  readonly open: LocalNode['system']['open'];
  /** Takes the values of secrets out of an answer. */
  readonly scrub: <T>(value: T) => T;
  /** Whether another node has an address. */
  readonly isAway: (address: string) => boolean;
}

/** What is asked of an instance. */
type InstanceCall = Exclude<CallKind, 'find' | 'figures'>;

/** What other nodes ask of instances here, done by the references of this node, for each address in the order in which it came. */
export class Answers {
  readonly #options: AnswersOptions;
  /** Of instances that are being reached, or look: settles when the last of that is over, never rejects. */
  readonly #begun = new Map<string, Promise<unknown>>();

  constructor(options: AnswersOptions) {
    this.#options = options;
  }

  /** Another node has written rows for an address: what it asks later comes behind them. */
  nudged(address: string): void {
    const before = this.#begun.get(address) ?? Promise.resolve();
    this.#follow(
      address,
      before.then(() => this.#options.nudged(address)),
    );
  }

  #follow(address: string, beginning: Promise<unknown>): void {
    const begun = beginning.catch(() => {});
    this.#begun.set(address, begun);
    void begun.then(() => {
      if (this.#begun.get(address) === begun) this.#begun.delete(address);
    });
  }

  async answer(call: Call, wait: CallWait): Promise<unknown> {
    const { clock, find, get, scrub } = this.#options;
    const { address, kind } = call;
    if (kind === 'find') return scrub(await find(address));
    if (kind === 'figures') return this.#options.figures();
    const before = this.#begun.get(address);
    const here = before === undefined && kind !== 'spawn' && kind !== 'getOrSpawn' ? get(address) : undefined;
    if (here !== undefined) return this.#do(here, kind, call, wait);
    const until = clock.now() + wait.timeoutMs;
    const reached = (before ?? Promise.resolve()).then(() => this.#reach(call));
    this.#follow(address, reached);
    let ref;
    try {
      ref = await reached;
    } catch (error) {
      // Whoever stops it twice does nothing the second time.
      if (kind === 'stop' && error instanceof HoldfastError && error.code === 'AGENT_STOPPED')
        return undefined;
      throw error;
    }
    const timeoutMs = until - clock.now();
    if (timeoutMs <= 0) throw tooLate(address, kind === 'ask' ? 'ask' : 'delivery', wait.timeoutMs);
    return this.#do(ref, kind, call, { ...wait, timeoutMs });
  }

  async #do(ref: AgentRef, kind: InstanceCall, call: Call, wait: CallWait): Promise<unknown> {
    const { scrub, isAway, open } = this.#options;
    const { address, value, id, by, origin, depth } = call;
    if (origin !== undefined && id === undefined && (kind === 'ask' || kind === 'deliver')) {
      const { timeoutMs, signal } = wait;
      const given = { timeoutMs, signal, origin, depth };
      return scrub(await open(address, kind === 'ask' ? 'ask' : 'delivery', value, given));
    }
    const write: CallWait['write'] = (part) => wait.write(scrub(part));
    const carried = { ...wait, write };
    if (kind === 'mirror') return scrub(await mirrored(ref, carried, isAway));
    const answer =
      id === undefined || by === undefined
        ? doings[kind](ref, call, carried)
        : this.#keep(kind, call, { id, caller: by }, carried);
    return scrub(await answer);
  }

  /** Ids are of those who give them: the same one of two of them is two. */
  async #keep(
    kind: CallKind,
    { address, value }: Call,
    given: { readonly id: string; readonly caller: string },
    wait: CallWait,
  ): Promise<unknown> {
    const { keep, keepStream } = this.#options;
    if (kind === 'ask') return keep(address, 'ask', value, given, wait);
    if (kind === 'deliver') return keep(address, 'delivery', value, given, wait);
    if (kind === 'enqueue') return keep(address, 'enqueue', value, given, wait);
    // Who reads keeps the time: it knows when it holds back itself.
    const asked =
      kind === 'askStream'
        ? keepStream(address, value, given, { timeoutMs: Infinity, signal: wait.signal })
        : undefined;
    if (asked === undefined) throw refusal(address, 'stopped');
    asked.stream.result.catch(() => {});
    await wait.write(await asked.again);
    return read(asked.stream, wait);
  }

  async #reach({ kind, address, value }: Call): Promise<AgentRef> {
    const { get, reach } = this.#options;
    if (kind !== 'spawn' && kind !== 'getOrSpawn')
      return reach(address).catch((error: unknown) => {
        const isQuarantined = error instanceof HoldfastError && error.code === 'AGENT_QUARANTINED';
        // It does not start, and may be resumed or stopped.
        const there = isQuarantined ? get(address) : undefined;
        if (there === undefined) throw error;
        return there;
      });
    const parts = partsOf(address);
    if (parts === undefined) throw refusal(address, 'stopped');
    return this.#options[kind](parts.agent, parts.id, value);
  }
}

type Doing = (ref: AgentRef, call: Call, wait: CallWait) => unknown;

const started: Doing = ({ incarnation }) => incarnation;

/** What is done with the reference for each kind of call. */
const doings: Readonly<Record<Exclude<InstanceCall, 'mirror'>, Doing>> = {
  spawn: started,
  getOrSpawn: started,
  ask: (ref, { value, id }, wait) => ref.ask(value, { ...wait, ...named(id) }),
  deliver: (ref, { value, id }, wait) => ref.deliver(value, { ...wait, ...named(id) }),
  enqueue: (ref, { value, id, at }) => ref.enqueue(value, { ...named(id), ...(at !== undefined && { at }) }),
  askStream: streamed,
  can: (ref, { value }, { timeoutMs }) => ref.can(value, { timeoutMs }),
  snapshot: async (ref, _call, { timeoutMs }) => encodeSnapshot(await ref.snapshot({ timeoutMs })),
  persist: (ref, _call, { timeoutMs }) => ref.persist({ timeoutMs }),
  watch: watched,
  resume: (ref) => ref.resume(),
  stop: (ref) => ref.stop(),
  placed: () => undefined,
};

/** Tells the chunks as they come, at the pace of who reads them, and gives the reply. */
function streamed(ref: AgentRef, { value, id }: Call, wait: CallWait): Promise<unknown> {
  // Who reads keeps the time: it knows when it holds back itself.
  return read(ref.askStream(value, { timeoutMs: Infinity, signal: wait.signal, ...named(id) }), wait);
}

async function read(answer: AskStream, { write, again }: CallWait): Promise<unknown> {
  try {
    for await (const chunk of answer) await write(chunk);
  } catch (error) {
    if (!(error instanceof HoldfastError) || error.code !== 'ANSWER_NOT_KEPT') throw error;
    again();
  }
  return answer.result;
}

/** Tells which incarnation is watched, and gives the end of it. */
function watched(ref: AgentRef, _call: Call, { signal, write }: CallWait): Promise<unknown> {
  return new Promise((resolve) => {
    const watching = ref.watch(resolve);
    signal.addEventListener('abort', () => {
      watching.unsubscribe();
      resolve(undefined);
    });
    void write(ref.incarnation);
  });
}

function named(id: string | undefined): { readonly id?: string } {
  return id === undefined ? {} : { id };
}

/** The error as another node is to have it: that this one stops, or has lost the address, says nothing of the runtime there. */
export function asOfNode(error: unknown, { address }: Call, node: number): unknown {
  if (!(error instanceof HoldfastError)) return error;
  if (error.code === 'NOT_LOCAL')
    return new HoldfastError(
      'NODE_UNREACHABLE',
      `${address} is not on node ${node} any more, and it was not done; try again`,
    );
  if (error.code !== 'RUNTIME_STOPPED') return error;
  return new HoldfastError(
    'NODE_UNREACHABLE',
    `${address} is on node ${node}, which stops, and nobody knows whether it was done; look, or give the event an id and send it again`,
  );
}
