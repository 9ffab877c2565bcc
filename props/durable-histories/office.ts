import type { AgentConfig, AgentRef } from 'holdfast';
import { createTestRuntime, memoryDurableStore, type Fault, type TestRuntime } from 'holdfast/testing';
import type { ClerkEvent, Files } from '../agents/clerk.ts';
import { Books, type Sent } from './books.ts';
import { CLERKS, STOPPED, type Clerk, type History, type Step } from './history.ts';

const logger = { debug() {}, info() {}, warn() {}, error() {} };
/** Time in which every retry, timer and single restart has come; who has failed often waits for longer. */
const LONG_MS = 40_000;

/** Carries a history out in a runtime whose process ends and begins, and keeps the books. */
export class Office {
  readonly #runtime: TestRuntime;
  readonly #books = new Books();
  readonly #refs = new Map<Clerk, AgentRef>();
  #kills: Fault[] = [];
  #n = 0;

  private constructor(runtime: TestRuntime) {
    this.#runtime = runtime;
  }

  static async carryOut({ seed, threads, capacity, passivateAfterMs, steps }: History): Promise<void> {
    const clerk: AgentConfig = {
      type: 'thread-bound',
      threadId: 'office',
      maxThreads: threads,
      module: new URL('../agents/clerk.ts', import.meta.url),
      mailbox: { capacity },
      passivateAfterMs,
      supervision: { intensity: { restarts: 10_000, withinMs: 1000 } },
    };
    const runtime = await createTestRuntime(
      { agents: { clerk } },
      { seed, logger, store: memoryDurableStore() },
    );
    const office = new Office(runtime);
    try {
      for (const clerk of CLERKS) await office.#ref(clerk);
      for (const step of steps) {
        await office.#alive();
        await office.#do(step);
      }
      await office.#close();
    } finally {
      await runtime.stop();
    }
  }

  async #do(step: Step): Promise<void> {
    const runtime = this.#runtime;
    if ('times' in step) {
      const ref = await this.#ref(step.to);
      for (let i = 0; i < step.times; i++) this.#post(ref, step);
    } else if (step.do === 'later') this.#later(await this.#ref(step.to), step.to, step.ms);
    else if (step.do === 'read') void this.#read(step.to, await this.#ref(step.to)).catch(rejected);
    else if (step.do === 'turns') for (let i = 0; i < step.n; i++) await turn();
    else if (step.do === 'settle') await runtime.settled();
    else if (step.do === 'pass') await runtime.clock.advance(step.ms);
    else if (step.do === 'fail commit') {
      const fault = runtime.faults.commit(step.at, { kill: step.kill });
      if (step.kill) this.#kills.push(fault);
    } else if (step.do === 'kill thread') {
      const address = `clerk/${step.of}`;
      if ((runtime.get(address)?.thread ?? -1) > 0) runtime.faults.killThread(address);
    } else if (step.do === 'stop') await this.#stop();
    else {
      if (step.do === 'redeploy') await runtime.stop();
      await this.#restart();
    }
  }

  #post(ref: AgentRef, { do: how, to, what, other }: Extract<Step, { times: number }>): void {
    const n = ++this.#n;
    const event = { type: what, n, to: `clerk/${other}`, ms: 500 } as ClerkEvent;
    const sent: Sent = { n, how, event, outcome: 'open' };
    this.#books.post(to, sent);
    if (how === 'send') return ref.send(event);
    this.#await(sent, how === 'ask' ? ref.ask(event) : ref[how](event));
  }

  #later(ref: AgentRef, to: Clerk, ms: number): void {
    const n = ++this.#n;
    const event: ClerkEvent = { type: 'note', n };
    const sent: Sent = { n, how: 'later', event, outcome: 'open' };
    this.#books.post(to, sent);
    this.#await(sent, ref.enqueue(event, { at: this.#runtime.clock.now() + ms }));
  }

  #await(sent: Sent, told: Promise<unknown>): void {
    told.then(
      (answer) => {
        sent.outcome = 'acknowledged';
        if (sent.how === 'ask') sent.count = answer as number;
      },
      () => {
        sent.outcome = 'rejected';
      },
    );
  }

  async #read(clerk: Clerk, ref: AgentRef): Promise<Files> {
    const files = (await ref.ask({ type: 'read' })) as Files;
    this.#failed ??= this.#judge(clerk, files);
    return files;
  }

  #failed: unknown;

  #judge(clerk: Clerk, files: Files): unknown {
    try {
      this.#books.read(clerk, files);
      return undefined;
    } catch (error) {
      return error;
    }
  }

  /** Stops the one that is stopped, for certain, and whatever it was sent before is gone with it. */
  async #stop(): Promise<void> {
    await this.#surely(async () => {
      const ref = await this.#runtime.getOrSpawn('clerk', STOPPED);
      await ref.stop();
    });
    this.#refs.delete(STOPPED);
    this.#books.stopped(STOPPED);
  }

  async #ref(clerk: Clerk): Promise<AgentRef> {
    const known = this.#refs.get(clerk);
    if (known !== undefined) return known;
    const ref = await this.#surely(() => this.#runtime.getOrSpawn('clerk', clerk));
    this.#refs.set(clerk, ref);
    return ref;
  }

  /** Does something until it comes about, while time passes and processes come and go. */
  async #surely<T>(what: () => Promise<T>): Promise<T> {
    let failure: unknown;
    for (let tries = 0; tries < 8; tries++) {
      await this.#alive();
      const came: { value?: { readonly of: T }; error?: unknown } = {};
      what().then(
        (of) => (came.value = { of }),
        (error: unknown) => (came.error = error ?? new Error('it failed')),
      );
      const waits = (): boolean => came.value === undefined && came.error === undefined && !this.#killed;
      for (let i = 0; i < 60 && waits(); i++) {
        await this.#runtime.settled();
        if (waits()) await this.#runtime.clock.advance(1000);
      }
      if (came.value !== undefined) return came.value.of;
      failure = came.error ?? new Error('nothing came of it in a minute');
    }
    throw new Error('it did not come about in 8 tries', { cause: failure });
  }

  get #killed(): boolean {
    return this.#kills.some(({ fired }) => fired);
  }

  /** There is a process. */
  async #alive(): Promise<void> {
    if (this.#failed !== undefined) throw this.#failed as Error;
    if (this.#killed) await this.#restart();
  }

  async #restart(): Promise<void> {
    this.#kills = this.#kills.filter(({ fired }) => !fired);
    this.#refs.clear();
    await this.#runtime.restartProcess();
  }

  async #close(): Promise<void> {
    for (let quiet = false; !quiet;) {
      await this.#alive();
      await this.#runtime.clock.advance(LONG_MS);
      quiet = !this.#killed && !this.#runtime.status().instances.some(({ state }) => state === 'restarting');
    }
    const all = new Map<Clerk, Files>();
    for (const clerk of CLERKS)
      all.set(
        clerk,
        await this.#surely(async () => this.#read(clerk, await this.#runtime.getOrSpawn('clerk', clerk))),
      );
    await this.#alive();
    this.#books.close(all);
  }
}

function rejected(): void {}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
