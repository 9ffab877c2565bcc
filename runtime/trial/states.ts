import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import type { LoadedConfig, ResolvedAgent, ResolvedPool } from '../config/resolve.ts';
import { modulesOf } from '../isolation/report.ts';
import { workerOptions } from '../threads/worker-options.ts';
import type { StatesData, StateToTry, TriedState } from './states-entry.ts';

/** A state that is kept, of an instance. */
export type StoredState = Omit<StateToTry, 'agent'>;

/** What came of trying one. */
export interface StateFinding {
  readonly address: string;
  /** The version of the machine that it was saved in, if that has one. */
  readonly version?: string | undefined;
  /** `error`: the instance would be quarantined. `warn`: it goes on, and not all of it, or nobody continues it. */
  readonly severity: 'warn' | 'error';
  readonly code: string;
  readonly message: string;
}

const extension = import.meta.url.slice(import.meta.url.lastIndexOf('.'));
const entry = new URL(`./states-entry${extension}`, import.meta.url);

type Config = Pick<LoadedConfig, 'agents' | 'pools'>;

/**
 * Restores each state with the code at hand, in a thread as those of its pool are, and starts nothing. Yields what is wrong,
 * and `undefined` for a state that goes on.
 */
export async function* tryStates(
  config: Config,
  states: AsyncIterable<StoredState>,
): AsyncGenerator<StateFinding | undefined> {
  const agents = new Map(config.agents.map((agent) => [agent.name, agent]));
  const threads = new Map(config.pools.map((pool) => [pool.threadId, new TrialThread(config, pool)]));
  const strangers = new Set<string>();
  try {
    for await (const state of states) {
      const { address, version } = state;
      const name = address.slice(0, address.indexOf('/'));
      const of = { address, ...(version !== undefined && { version }) };
      const agent = agents.get(name);
      const thread = agent && threads.get(agent.threadId);
      if (agent === undefined || thread === undefined || agent.state === 'fresh') {
        if (!strangers.has(name)) yield { ...of, ...stranger(agent) };
        strangers.add(name);
        continue;
      }
      // It was done, and begins anew with its input.
      if (state.state === '') {
        yield undefined;
        continue;
      }
      const found = await thread.tried({ ...state, agent: name });
      if ('message' in found) {
        const { code = 'STATE_INCOMPATIBLE', message } = found;
        yield { ...of, severity: 'error', code, message };
      } else if (found.parts.length > 0) {
        const message = `it goes on, and this would not run: ${found.parts.join('; ')}`;
        yield { ...of, severity: 'warn', code: 'STATE_CHANGED', message };
      } else yield undefined;
    }
  } finally {
    await Promise.all([...threads.values()].map((thread) => thread.end()));
  }
}

/** Once for an agent, whose instances stay as they are. */
function stranger(agent: ResolvedAgent | undefined): Omit<StateFinding, 'address'> {
  const why =
    agent === undefined ? 'the config has no such agent' : 'the state of its agent is "fresh" in the config';
  const message = `it and others of its agent are left as they are: ${why}`;
  return { severity: 'warn', code: 'AGENT_UNKNOWN', message };
}

/** A thread of a pool, which is there as soon as there is something to try, and again when a state has ended it. */
class TrialThread {
  readonly #data: StatesData;
  readonly #start: () => Worker;
  readonly #ms: number;
  #worker: Worker | undefined;

  constructor(config: Config, pool: ResolvedPool) {
    const { threadId, isolation, startTimeoutMs } = pool;
    const ofPool = config.agents.filter((agent) => agent.threadId === threadId);
    const agents = ofPool.map(
      ({ name, moduleUrl, exportName, maxIterations }) =>
        [name, { url: moduleUrl, export: exportName, maxIterations }] as const,
    );
    this.#data = { isolation, agents: Object.fromEntries(agents) };
    this.#ms = startTimeoutMs;
    const options = workerOptions(pool, 'holdfast:store-check', modulesOf(config, threadId), entry);
    this.#start = () => new Worker(entry, { ...options, stdout: true, stderr: true, workerData: this.#data });
  }

  async tried(state: StateToTry): Promise<TriedState> {
    const worker = (this.#worker ??= this.#start());
    const over = new AbortController();
    const late = setTimeout(() => over.abort(), this.#ms);
    try {
      const answer = once(worker, 'message', { signal: over.signal });
      const exited = once(worker, 'exit', { signal: over.signal }).then(() => {
        throw new Error('its thread ended while it was restored');
      });
      exited.catch(() => {});
      worker.postMessage(state);
      const [found] = (await Promise.race([answer, exited])) as [TriedState];
      return found;
    } catch (error) {
      await this.end();
      const message = over.signal.aborted
        ? `it was not restored within ${this.#ms} ms`
        : (error as Error).message;
      return { message };
    } finally {
      clearTimeout(late);
      over.abort();
    }
  }

  async end(): Promise<void> {
    const worker = this.#worker;
    this.#worker = undefined;
    await worker?.terminate();
  }
}
