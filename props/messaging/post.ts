import type { AgentRef, DeadLetter, Runtime } from 'holdfast';
import type { Manner } from '../agents/correspondent.ts';
import { createLog } from '../log.ts';
import { POOLS, type Plan, type Posting } from './plan.ts';

/** One event that was sent, and what its sender heard of it. */
export interface Sent {
  readonly n: number;
  readonly from: number;
  readonly address: string;
  readonly how: 'send' | 'deliver' | 'ask';
  readonly manner: Manner;
  readonly timeoutMs: number;
  /** `untold`, `open`, `confirmed`, or the code of the error. */
  outcome: string;
}

export interface Correspondent {
  readonly address: string;
  readonly ref: AgentRef;
  readonly log: SharedArrayBuffer;
  stopped: boolean;
}

/** Carries a plan out in a runtime with real threads, and keeps the books. */
export class Post {
  readonly sent: Sent[] = [];
  readonly letters: DeadLetter[] = [];
  readonly all: Correspondent[] = [];
  readonly runtime: Runtime;
  readonly #pending: Promise<unknown>[] = [];

  constructor(runtime: Runtime) {
    this.runtime = runtime;
    runtime.on('dead-letter', (letter) => this.letters.push(letter));
  }

  async carryOut({ steps }: Plan): Promise<void> {
    for (const pool of [...POOLS, ...POOLS]) this.#spawn(pool);
    for (const step of steps) {
      if (step.do === 'spawn') this.#spawn(step.pool);
      else if (step.do === 'stop') this.#stop(this.#at(step.to));
      else if (step.do === 'catch up with')
        await this.#at(step.to)
          .ref.snapshot()
          .catch(() => {});
      else if ('times' in step) for (let i = 0; i < step.times; i++) this.#post(step);
    }
    await Promise.all(this.#pending);
    await this.#quiet();
  }

  #at(index: number): Correspondent {
    return this.all[index % this.all.length] as Correspondent;
  }

  #spawn(pool: (typeof POOLS)[number]): void {
    const log = createLog();
    const id = String(this.all.length);
    const spawned = this.runtime.spawn(pool, { id, input: { log } });
    // Nobody waits for the start; whether it comes to one shows in the books.
    this.#pending.push(spawned.catch(() => {}));
    const ref = this.runtime.get(`${pool}/${id}`) as AgentRef;
    this.all.push({ address: ref.address, ref, log, stopped: false });
  }

  #stop(correspondent: Correspondent): void {
    correspondent.stopped = true;
    this.#pending.push(correspondent.ref.stop());
  }

  #post({ do: how, from, to, manner, timeoutMs }: Posting): void {
    const { ref, address } = this.#at(to);
    const n = this.sent.length;
    const sent: Sent = {
      n,
      from,
      address,
      how,
      manner,
      timeoutMs,
      outcome: how === 'send' ? 'untold' : 'open',
    };
    this.sent.push(sent);
    const event = { type: manner, n };
    if (how === 'send') return ref.send(event);
    const told = how === 'ask' ? ref.ask(event, { timeoutMs }) : ref.deliver(event, { timeoutMs });
    this.#pending.push(
      told.then(
        (answer) => {
          sent.outcome = how === 'ask' && answer !== n ? `answered with ${String(answer)}` : 'confirmed';
        },
        (error: { code?: string; message: string }) => {
          sent.outcome = error.code ?? error.message;
        },
      ),
    );
  }

  /** Waits until nothing is queued or starting any more. */
  async #quiet(): Promise<void> {
    const deadline = performance.now() + 20_000;
    for (;;) {
      const { instances } = this.runtime.status();
      if (instances.every(({ state, mailbox }) => state === 'running' && mailbox === 0)) return;
      if (performance.now() > deadline) throw new Error(`not quiet: ${JSON.stringify(instances)}`);
      const refs = instances.flatMap(({ address }) => this.runtime.get(address) ?? []);
      await Promise.allSettled(refs.map((ref) => ref.snapshot({ timeoutMs: 1000 })));
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
}
