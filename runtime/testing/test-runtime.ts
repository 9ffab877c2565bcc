import { checkCall, flag, kindOf, milliseconds, string, type Rules } from '../base/call-check.ts';
import type { ConfigFileOf, ConfigOf } from '../config/agent-types.ts';
import type { RuntimeConfig } from '../config/schema.ts';
import { HoldfastError } from '../base/errors.ts';
import { runtimeOptionRules } from '../system/runtime-options-check.ts';
import type { Runtime, RuntimeOptions } from '../runtime.ts';
import { createFaults, type Faults } from './faults.ts';
import { createProbe, type Probe } from './probe.ts';
import { anySeed, seeded } from './random.ts';
import { inProcess, onThreads } from './stage.ts';
import { StoreFaults } from './store-faults.ts';
import { TestProcess } from './test-process.ts';
import { Timeline } from './timeline.ts';
import { Timers, type Time } from './timers.ts';

export interface TestRuntimeOptions extends Omit<RuntimeOptions, 'cluster'> {
  /**
   * `true`: each thread is a worker thread, as in production, on the same manual clock. `false`: all threads run in the
   * thread of the test, in an order that follows from the seed. Default: whether `HOLDFAST_TEST_THREADS` is 1.
   */
  readonly threads?: boolean;
  /** The seed, a whole number of 32 bits. Default: `HOLDFAST_TEST_SEED`, or a random one. */
  readonly seed?: number;
  /** The initial time of the clock in milliseconds, also the runtime's date. Default: 0. */
  readonly now?: number;
  /** The real time in milliseconds within which everything must settle. Default: 10 000. */
  readonly deadlineMs?: number;
}

/** The clock of a test runtime. Its time stands still until `advance` is called. */
export interface TestClock {
  /** Milliseconds. */
  now(): number;
  /**
   * Lets time pass. Every timer of the host and of all threads that falls due runs in the order of time, each after all
   * the effects of those before it. That covers every `after` and delay of agents, the backoff of restarts, the
   * deadline of asks, the age of caches, and when an instance leaves memory.
   */
  advance(ms: number): Promise<void>;
}

/** A runtime for tests: as in production, with time, chance and failures under the control of the test. */
export interface TestRuntime<C extends RuntimeConfig = RuntimeConfig> extends Runtime<C> {
  readonly clock: TestClock;
  /**
   * Resolves when no event is queued or under way and no thread has anything to do until time passes. Does not cover
   * files, sockets and real timers that an agent waits for. Rejects after `deadlineMs`.
   */
  settled(): Promise<void>;
  /**
   * Ends the runtime as `kill -9` ends its process, and begins the next one over what the store has, with the same
   * config, options and clock. Nothing more is committed, and nothing that was not told is told; what was committed is
   * there. Refs and listeners of before are dead, and calls under way reject; get others by `getOrSpawn`, `find` and
   * `get`. Resolves when the next process runs; rejects as `createRuntime` does. After `stop()`, or a fault that has
   * killed the process, it begins the next one. A store in memory is used on, one of `sqliteStore` is ended and opened
   * again, and one of your own is closed and opened again.
   */
  restartProcess(): Promise<void>;
  /**
   * The seed of the random numbers, which every failure of the kit names in its message. Pass it as `seed` to repeat
   * the run.
   */
  readonly seed: number;
  /** Returns a random number in [0, 1) that follows from the seed, for the test's own use. */
  random(): number;
  /** Creates an actor that records the events it is sent. */
  probe(name?: string): Probe;
  readonly faults: Faults;
  /**
   * The last 10 000 steps in the order in which they ran, each with its time, without payloads. The same seed gives the
   * same trace. Empty with real threads, whose order is not controlled.
   */
  readonly trace: readonly string[];
}

const rules: Rules<TestRuntimeOptions> = {
  ...runtimeOptionRules,
  threads: flag,
  seed: { what: 'a whole number of 32 bits', is: Number.isInteger },
  now: { what: 'a number of milliseconds', is: Number.isFinite },
  deadlineMs: milliseconds,
};

/** Creates a test runtime from a config file, with the types of its agents; see `createRuntime`. */
export function createTestRuntime<A extends object = never>(
  config: ConfigFileOf<A>,
  options?: TestRuntimeOptions,
): Promise<TestRuntime<ConfigOf<A>>>;
/**
 * Creates a runtime for tests, as `createRuntime` does. Agents run in the thread of the test, with all the code of a
 * thread and real channels, so that a value that cannot cross a thread fails here too; an event is frozen when it is
 * sent. The threads share globals and modules; an uncaught error or `process.exit` in one of their callbacks hits the
 * test; and the `env`, `isolation` and `resourceLimits` of a pool do not apply. To test those, set `threads: true`.
 *
 * @throws {ConfigError} as `createRuntime` does
 * @example
 * ```ts
 * await using runtime = await createTestRuntime(config);
 * const btc = await runtime.spawn('trading-agent');
 * await runtime.clock.advance(60_000);
 * ```
 */
export function createTestRuntime<const C extends RuntimeConfig>(
  config: C | string | URL,
  options?: TestRuntimeOptions,
): Promise<TestRuntime<C>>;
export async function createTestRuntime(
  config: unknown,
  options?: TestRuntimeOptions,
): Promise<TestRuntime<never>> {
  const given = checkCall<TestRuntimeOptions>('createTestRuntime()', {}, options, rules);
  const { now = 0, deadlineMs = 10_000, seed = anySeed() } = given;
  const { threads = process.env['HOLDFAST_TEST_THREADS'] === '1' } = given;
  const hint = `(seed: ${seed})`;
  const time: Time = { now };
  const timers = new Timers(time);
  const stage = threads ? onThreads(time) : inProcess(time, seeded(seed, 1));
  const storeFaults = new StoreFaults();
  const timeline = new Timeline({
    time,
    timers: () => (running.killed ? [timers] : [running.timers, timers]),
    stage,
    deadlineMs,
    hint,
  });
  const random = seeded(seed, 2);
  const begin = (): TestProcess =>
    new TestProcess({
      config: config as RuntimeConfig | string | URL,
      given,
      time,
      random,
      stage,
      timeline,
      faults: storeFaults,
    });
  let running = begin();
  let runtime = await running.start();
  let restarting = Promise.resolve();
  let probes = 0;
  async function restart(): Promise<void> {
    await running.kill();
    running = begin();
    runtime = await running.start();
  }
  async function stop(stopping?: { readonly timeoutMs?: number }): Promise<void> {
    await restarting.catch(() => {});
    return running.stop(stopping);
  }

  return Object.assign(
    through(() => runtime),
    {
      clock: {
        now: () => time.now,
        async advance(ms: number) {
          // A time that never comes would run repeated timers for ever.
          if (!Number.isFinite(ms) || ms < 0) {
            const given = typeof ms === 'number' ? ms : kindOf(ms);
            throw new HoldfastError(
              'OPTION_INVALID',
              `clock.advance(): time goes by 0 ms or more, not by ${given}`,
            );
          }
          await timeline.advance(ms);
        },
      },
      settled: () => timeline.settled(),
      seed,
      random: seeded(seed, 3),
      probe(name = `probe-${++probes}`) {
        checkCall('runtime.probe()', { name: [name, string] });
        return createProbe({ name, timeline, timers, time, hint });
      },
      faults: createFaults({
        threads: () => stage.threads(),
        threadOf: (address) => runtime.get(address)?.thread,
        store: () => running.keptIn,
        failStore: (fault) => storeFaults.add(fault),
        kill: () => void running.kill().catch(() => {}),
      }),
      restartProcess() {
        restarting = restarting.catch(() => {}).then(restart);
        return restarting;
      },
      trace: stage.trace,
      stop,
      [Symbol.asyncDispose]: () => stop(),
    },
  );
}

/** The runtime of whichever process there is. */
function through(current: () => Runtime): Runtime<never> {
  return {
    get supervisor() {
      return current().supervisor;
    },
    get secrets() {
      return current().secrets;
    },
    get inspector() {
      return current().inspector;
    },
    get deadLetters() {
      return current().deadLetters;
    },
    spawn: (...args) => current().spawn(...args) as Promise<never>,
    getOrSpawn: (...args) => current().getOrSpawn(...args) as Promise<never>,
    get: (address) => current().get(address),
    find: (address) => current().find(address),
    logic: (agent) => current().logic(agent) as never,
    status: () => current().status(),
    on: (type, listener) => current().on(type, listener),
    refreshSecret: (...args) => current().refreshSecret(...args),
    recycle: (...args) => current().recycle(...args),
    drain: (...args) => current().drain(...args),
    stop: (...args) => current().stop(...args),
    [Symbol.asyncDispose]: () => current().stop(),
  };
}
