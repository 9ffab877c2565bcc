import type { AnyEventObject } from 'xstate';
import { encodeError, tryClone } from '../wire/errors.ts';
import { HoldfastError } from '../errors.ts';
import { unpackEvent, type PackedRun } from '../mailbox/run.ts';
import type { Progress } from '../wire/progress.ts';
import { eventLoop, type EventLoop } from './event-loop.ts';
import type { HostedInstance } from './hosted-instance.ts';
import type { OpenAsk } from './thread-state.ts';

/** Milliseconds of turns before timers and other messages get theirs. */
const SLICE_MS = 2;
/** Envelopes between two looks at the clock. */
const LOOK_EVERY = 64;

interface Job {
  /** How many batches were delivered before. */
  readonly n: number;
  readonly batch: readonly unknown[];
  at: number;
  answers: unknown[] | null;
  readonly resolve: (ack: unknown[] | null) => void;
}

export interface TurnsOptions {
  readonly instances: ReadonlyMap<number, HostedInstance>;
  readonly progress: Progress;
  /** Called before a batch is acknowledged. */
  readonly beforeAck: () => void;
  readonly loop?: EventLoop | undefined;
}

/**
 * Runs the turns of delivered batches, in order, in slices of the event loop. Running them inside the port's
 * message handler would starve every timer and every other port of the thread while messages keep arriving.
 */
export class Turns {
  readonly #options: TurnsOptions;
  readonly #loop: EventLoop;
  #jobs: Job[] = [];
  #armed = false;
  #delivered = 0;
  /** What is left of a run that a slice ended in. */
  #run = 0;
  #runSlot = 0;
  #packed: PackedRun | undefined;

  constructor(options: TurnsOptions) {
    this.#options = options;
    this.#loop = options.loop ?? eventLoop;
  }

  /** Batches that were ever delivered. */
  get delivered(): number {
    return this.#delivered;
  }

  /** Queues a batch; resolves with the answers to its asks when all of it was handled. */
  deliver(batch: readonly unknown[]): Promise<unknown[] | null> {
    return new Promise((resolve) => {
      this.#jobs.push({ n: this.#delivered++, batch, at: 0, answers: null, resolve });
      this.#arm();
    });
  }

  #arm(): void {
    if (this.#armed) return;
    this.#armed = true;
    this.#loop.immediate(this.#slice);
  }

  readonly #slice = (): void => {
    this.#armed = false;
    const job = this.#jobs[0];
    if (job === undefined) return;
    const end = this.#loop.now() + SLICE_MS;
    do this.#some(job);
    while (!this.#over(job) && this.#loop.now() < end);
    if (this.#over(job)) {
      this.#jobs.shift();
      this.#options.beforeAck();
      // The ack leaves when this callback has returned: another batch in it would keep the host waiting.
      job.resolve(job.answers);
    }
    if (this.#jobs.length > 0) this.#arm();
  };

  #over(job: Job): boolean {
    return job.at >= job.batch.length && this.#run === 0;
  }

  /** At most {@link LOOK_EVERY} turns of a batch. */
  #some(job: Job): void {
    const { batch } = job;
    let left = LOOK_EVERY;
    while (left > 0) {
      if (this.#run === 0) {
        if (job.at >= batch.length) return;
        this.#runSlot = batch[job.at] as number;
        const length = batch[job.at + 1] as number;
        if (length === -1) {
          this.#ask(job, batch[job.at + 2] as number, batch[job.at + 3] as AnyEventObject);
          job.at += 4;
          left -= 1;
          continue;
        }
        if (length === -2) {
          const [packed, keys, columns] = batch.slice(job.at + 2, job.at + 5) as [
            number,
            string[],
            unknown[],
          ];
          this.#packed = { length: packed, keys, columns };
          this.#run = packed;
          job.at += 5;
        } else {
          this.#run = length;
          job.at += 2;
        }
      }
      const instance = this.#instanceOf(job);
      const turns = Math.min(this.#run, left);
      const packed = this.#packed;
      if (packed === undefined) {
        for (let i = 0; i < turns; i++) this.#turn(instance, batch[job.at + i] as AnyEventObject, undefined);
        job.at += turns;
      } else {
        const from = packed.length - this.#run;
        for (let i = 0; i < turns; i++)
          this.#turn(instance, unpackEvent(packed, from + i) as AnyEventObject, undefined);
      }
      this.#run -= turns;
      if (this.#run === 0) this.#packed = undefined;
      left -= turns;
    }
  }

  /** Whom the run is for. What was delivered before an instance came is for the one that had the slot before. */
  #instanceOf({ n }: Job): HostedInstance | undefined {
    const instance = this.#options.instances.get(this.#runSlot);
    return instance !== undefined && n >= instance.since ? instance : undefined;
  }

  /** An event for an instance that has ended is left uncounted: the host still has it and decides. */
  #turn(instance: HostedInstance | undefined, event: AnyEventObject, ask: OpenAsk | undefined): boolean {
    if (instance === undefined || instance.ended) return false;
    const { progress } = this.#options;
    progress.begin(instance.slot);
    instance.turn(event, ask);
    progress.end(instance.slot);
    return true;
  }

  #ask(job: Job, tag: number, event: AnyEventObject): void {
    const instance = this.#instanceOf(job);
    const ask: OpenAsk = { answered: false, value: undefined };
    if (instance === undefined || !this.#turn(instance, event, ask)) return;
    job.answers ??= [];
    if (ask.answered) job.answers.push(tag, 1, ask.value);
    else job.answers.push(tag, 0, encodeError(instance.unanswered()));
  }
}

/** Replaces the answers that cannot be cloned, so that they do not take the others with them. */
export function clonableAnswers(answers: readonly unknown[]): unknown[] {
  const out: unknown[] = [];
  for (let i = 0; i < answers.length; i += 3) {
    const [tag, ok, value] = answers.slice(i, i + 3);
    const clone = tryClone(value);
    if (clone !== undefined) out.push(tag, ok, clone.copy);
    else out.push(tag, 0, encodeError(unclonableReply()));
  }
  return out;
}

function unclonableReply(): HoldfastError {
  return new HoldfastError(
    'REPLY_UNCLONABLE',
    'the reply cannot be cloned (a function, actor or socket in it?); reply with plain data',
  );
}
