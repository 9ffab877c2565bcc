import { checkCall, flag, kindOf, milliseconds, string, type Rules } from '../base/call-check.ts';
import type { Clock } from '../base/clock.ts';
import type { ConfigFileOf, ConfigOf } from '../config/agent-types.ts';
import type { RuntimeConfig } from '../config/schema.ts';
import { HoldfastError } from '../base/errors.ts';
import { runtimeOptionRules } from '../system/runtime-options-check.ts';
import { openRuntime, type Runtime, type RuntimeOptions } from '../runtime.ts';
import { deepFreeze } from './deep-freeze.ts';
import { createFaults, type Faults } from './faults.ts';
import { faultyStore } from './faulty-store.ts';
import { createProbe, type Probe } from './probe.ts';
import { anySeed, seeded } from './random.ts';
import { inProcess, onThreads } from './stage.ts';
import { Timeline } from './timeline.ts';
import { Timers, type Time } from './timers.ts';

export interface TestRuntimeOptions extends RuntimeOptions {
  /**
   * `true`: each thread is a worker thread, as in production, on the same manual clock. `false`: all of them run here,
   * in an order that follows from the seed. Default: whether `HOLDFAST_TEST_THREADS` is 1.
   */
  readonly threads?: boolean;
  /** A whole number of 32 bits. Default: `HOLDFAST_TEST_SEED`, or another one each time. */
  readonly seed?: number;
  /** What the clock shows first, in milliseconds; also the runtime's date. Default 0. */
  readonly now?: number;
  /** Real milliseconds within which everything has to come to rest. Default 10 000. */
  readonly deadlineMs?: number;
}

/** The time of a test runtime: it stands still unless it is told to pass. */
export interface TestClock {
  /** Milliseconds. */
  now(): number;
  /**
   * Lets time pass: every timer of the host and of all threads that falls due runs, in the order of time, each after
   * everything that those before it led to. That is every `after` and delay of agents, backoff of restarts, deadline of
   * asks, age of caches.
   */
  advance(ms: number): Promise<void>;
}

/** A runtime for tests: as in production, with time, chance and failures in the hands of the test. */
export interface TestRuntime<C extends RuntimeConfig = RuntimeConfig> extends Runtime<C> {
  readonly clock: TestClock;
  /**
   * Resolves when no event is queued or under way and every thread has nothing to do until time passes. Knows nothing of
   * files, sockets and real timers that an agent waits for. Rejects after `deadlineMs`.
   */
  settled(): Promise<void>;
  /** What chance followed from; in the message of every failure of the kit. Give it as `seed` for the same run again. */
  readonly seed: number;
  /** In [0, 1); follows from the seed. For the test's own use. */
  random(): number;
  /** An actor that remembers what it is sent. */
  probe(name?: string): Probe;
  readonly faults: Faults;
  /**
   * In which order what ran: the last 10 000 steps, each with its time, without payloads. The same seed gives the same
   * trace. Empty with real threads, whose order nobody decides.
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

/** Real time that what no clock knows of gets at each step of a stop. */
const STOP_PATIENCE_MS = 25;

/** `createTestRuntime` of a config file, with the types of its agents; see `createRuntime`. */
export function createTestRuntime<A extends object = never>(
  config: ConfigFileOf<A>,
  options?: TestRuntimeOptions,
): Promise<TestRuntime<ConfigOf<A>>>;
/**
 * `createRuntime` for tests. Agents run in this process, with all of a thread's code over real channels, so that what
 * cannot cross a thread fails here too; an event is frozen when it is sent. Threads share this process: what they keep
 * in globals and modules they share, an uncaught error or `process.exit` in a callback of theirs is the test's, and no
 * pool's `env`, `isolation` or `resourceLimits` applies. A test of those wants `threads: true`.
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
  const timeline = new Timeline({ time, timers, stage, deadlineMs, hint });
  const clock: Clock = {
    setTimeout: timers.setTimeout,
    clearTimeout: timers.clearTimeout,
    now: () => time.now,
    date: () => time.now,
    random: seeded(seed, 2),
  };
  const surroundings = { clock, startThread: stage.startThread, sent: deepFreeze };
  const store = given.store && faultyStore(given.store);
  const runtime = await openRuntime(
    config as RuntimeConfig | string | URL,
    { ...given, ...(store && { store: store.store }) },
    surroundings,
  );
  let stopped: Promise<void> | undefined;
  let probes = 0;
  function stop(stopping?: { readonly timeoutMs?: number }): Promise<void> {
    return (stopped ??= (async () => {
      const ended = runtime.stop(stopping);
      await timeline.until(ended, STOP_PATIENCE_MS);
      return ended;
    })());
  }

  return {
    ...runtime,
    clock: {
      now: () => time.now,
      async advance(ms) {
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
      store,
      threadOf: (address) => runtime.get(address)?.thread,
    }),
    trace: stage.trace,
    stop,
    [Symbol.asyncDispose]: () => stop(),
  };
}
