import { HoldfastError } from '../base/errors.ts';
import { decodeEvent, encodeEvent, type Encoded } from '../wire/encoded-state.ts';
import type { HostBridge, Invoked } from './thread-state.ts';

/** The most bytes of what a step returns: a record of what was done, and not a file. */
const MOST_BYTES = 1024 * 1024;

/** One start of a promise, a callback or an observable, which goes on over crashes. */
export class Invocation implements Invoked {
  readonly bridge: HostBridge;
  #name: string | undefined;
  #isOver = false;
  /** Whether the state is committed in which it was started. */
  #isCommitted = false;
  #ending: AbortController | undefined;
  /** What its steps have returned. */
  #kept: Map<string, Encoded> | undefined;
  readonly #underWay = new Set<string>();

  /** `kept`: by key. */
  constructor(bridge: HostBridge, name?: string, kept?: Map<string, Encoded>) {
    this.bridge = bridge;
    this.#name = name;
    this.#kept = kept;
  }

  /** Chance alone makes one that no other start has, be it one that a crash has taken back. */
  get name(): string {
    return (this.#name ??= crypto.randomUUID());
  }

  /** Whether the store has something of its steps, or is about to. */
  get hasSteps(): boolean {
    return this.#kept !== undefined;
  }

  async step<T>(key: string, fn: (signal: AbortSignal) => T | PromiseLike<T>): Promise<T> {
    this.#assertGoesOn();
    const kept = this.#kept?.get(key);
    if (kept !== undefined) return decodeEvent(kept) as T;
    if (this.#underWay.has(key)) throw underWay(key);
    this.#underWay.add(key);
    try {
      return this.bridge.keepStep === undefined ? await fn(this.#signal) : await this.#run(key, fn);
    } finally {
      this.#underWay.delete(key);
    }
  }

  async #run<T>(key: string, fn: (signal: AbortSignal) => T | PromiseLike<T>): Promise<T> {
    if (!this.#isCommitted) await this.bridge.committed();
    this.#isCommitted = true;
    this.#assertGoesOn();
    const value = encoded(key, await fn(this.#signal));
    this.#assertGoesOn();
    const kept = (this.#kept ??= new Map());
    await this.bridge.keepStep?.(this.name, key, value);
    kept.set(key, value);
    return decodeEvent(value) as T;
  }

  /** It has ended: whatever of it still runs keeps nothing. */
  end(): void {
    this.#isOver = true;
    this.#ending?.abort(ended());
  }

  #assertGoesOn(): void {
    if (this.#isOver) throw ended();
  }

  get #signal(): AbortSignal {
    return (this.#ending ??= new AbortController()).signal;
  }
}

function encoded(key: string, value: unknown): Encoded {
  let found: Encoded;
  try {
    found = encodeEvent(value);
  } catch (cause) {
    throw notKept(key, cause instanceof Error ? cause.message : 'it cannot be encoded', { cause });
  }
  const bytes = typeof found === 'string' ? Buffer.byteLength(found) : found.byteLength;
  if (bytes <= MOST_BYTES) return found;
  throw notKept(key, `it returned ${bytes} bytes, and at most ${MOST_BYTES} are kept of one`);
}

function notKept(key: string, why: string, options?: ErrorOptions): HoldfastError {
  return new HoldfastError(
    'STEP_NOT_KEPT',
    `step "${key}" was done, and what it returned is not kept: ${why}; return plain data that finds the rest, such as an id`,
    options,
  );
}

function underWay(key: string): HoldfastError {
  return new HoldfastError(
    'STEP_UNDER_WAY',
    `step "${key}" is under way in this invocation; await the first, or give each step a key of its own`,
  );
}

function ended(): HoldfastError {
  return new HoldfastError(
    'AGENT_STOPPED',
    'the promise, callback or observable that made the step has ended, and nothing of it is kept; begin it again',
  );
}
