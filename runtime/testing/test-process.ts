import type { Subscription } from 'xstate';
import type { Clock } from '../base/clock.ts';
import { consoleLogger, type Logger } from '../base/logger.ts';
import type { RuntimeConfig } from '../config/schema.ts';
import type { RuntimeOptions } from '../system/runtime-options.ts';
import { openRuntime, type Runtime, type Surroundings } from '../runtime.ts';
import { deepFreeze } from './deep-freeze.ts';
import { processStore, type ProcessStore } from './process-store.ts';
import type { Random } from './random.ts';
import type { Stage } from './stage.ts';
import type { StoreFaults } from './store-faults.ts';
import type { Timeline } from './timeline.ts';
import { Timers, type Time } from './timers.ts';

export interface TestProcessOptions {
  readonly config: RuntimeConfig | string | URL;
  readonly given: RuntimeOptions;
  readonly time: Time;
  readonly random: Random;
  readonly stage: Stage;
  readonly timeline: Timeline;
  readonly faults: StoreFaults;
}

/** Real time that what no clock knows of gets at each step of a stop. */
const STOP_PATIENCE_MS = 25;
/** The most time of its own clock that what is left of a killed process gets to end in. */
const END_MS = 8000;

/** One process of a test: a runtime from its start to its end. */
export class TestProcess {
  readonly timers: Timers;
  readonly #options: TestProcessOptions;
  readonly #subscriptions: Subscription[] = [];
  #starting: Promise<Runtime> | undefined;
  #runtime: Runtime | undefined;
  #store: ProcessStore | undefined;
  /** The time at which the process was killed, from which on its clock is its own. */
  #own: Time | undefined;
  #stopping: Promise<void> | undefined;
  #stopped = false;
  #killing: Promise<void> | undefined;

  constructor(options: TestProcessOptions) {
    this.#options = options;
    const now = (): number => (this.#own ?? options.time).now;
    this.timers = new Timers({
      get now() {
        return now();
      },
    });
  }

  /** Whether it was killed, so that its timers are no longer the test's. */
  get killed(): boolean {
    return this.#own !== undefined;
  }

  /** What the runtime keeps its states in. */
  get keptIn(): 'none' | 'snapshots' | 'transactional' {
    if (this.#store === undefined) return 'none';
    return 'transactional' in this.#store.store ? 'transactional' : 'snapshots';
  }

  async start(): Promise<Runtime> {
    const { config, given, random, stage, faults } = this.#options;
    const { timers } = this;
    const clock: Clock = {
      setTimeout: timers.setTimeout,
      clearTimeout: timers.clearTimeout,
      now: timers.date,
      date: timers.date,
      random,
    };
    const surroundings: Surroundings = {
      clock,
      startThread: (...spec) => {
        if (this.#own !== undefined) throw new Error('the test has ended the process');
        return stage.startThread(...spec);
      },
      sent: deepFreeze,
      isAlone: true,
      keptIn: (store) => {
        this.#store = processStore(store, stage.storeWay(), faults);
        return this.#store.store;
      },
    };
    const logger = this.#heard(given.logger ?? consoleLogger);
    this.#starting = openRuntime(config, { ...given, logger }, surroundings);
    const runtime = await this.#starting;
    const on: Runtime['on'] = (type, listener) => {
      const subscription = runtime.on(type, listener);
      this.#subscriptions.push(subscription);
      return subscription;
    };
    return (this.#runtime = { ...runtime, on });
  }

  /** Nobody hears what is logged by a process that was killed. */
  #heard(logger: Logger): Logger {
    const heard =
      (level: keyof Logger): Logger['debug'] =>
      (fields, message) =>
        this.#own === undefined ? logger[level](fields, message) : undefined;
    return { debug: heard('debug'), info: heard('info'), warn: heard('warn'), error: heard('error') };
  }

  stop(stopping?: { readonly timeoutMs?: number }): Promise<void> {
    return this.#killing ?? (this.#stopping ??= this.#stop(stopping));
  }

  async #stop(stopping?: { readonly timeoutMs?: number }): Promise<void> {
    const ended = this.#runtime?.stop(stopping) ?? Promise.resolve();
    await this.#options.timeline.until(ended, STOP_PATIENCE_MS);
    await ended;
    this.#stopped = true;
  }

  /** Ends the process at once: nothing more is committed, and nothing that was not told is told. */
  kill(): Promise<void> {
    return (this.#killing ??= this.#kill());
  }

  async #kill(): Promise<void> {
    const { stage, time } = this.#options;
    if (this.#stopped) return;
    this.#own = { now: time.now };
    for (const subscription of this.#subscriptions) subscription.unsubscribe();
    this.#store?.cut();
    const threads = stage.threads().map((thread) => thread.cut());
    // What still waits for something of it gets an error.
    const rest = this.#runtime?.stop({ timeoutMs: END_MS }) ?? this.#starting;
    await Promise.all(threads);
    if (rest !== undefined) await this.#runOut(this.#own, rest);
    await this.#store?.kill();
  }

  /** Lets time pass for what is left of the process alone, until `work` is over. */
  async #runOut(own: Time, work: Promise<unknown>): Promise<void> {
    const { timers } = this;
    const ended = work.then(
      () => true,
      () => true,
    );
    while (!(await Promise.race([ended, fewTurns()]))) {
      // What the clock knows nothing of takes as long as it takes.
      if (timers.next === undefined) return void (await ended);
      own.now = Math.max(own.now, timers.next);
      timers.runNext();
    }
  }
}

/** Resolves after a few turns of the event loop. */
async function fewTurns(): Promise<false> {
  for (let i = 0; i < 3; i++) await new Promise((resolve) => setImmediate(resolve));
  return false;
}
