import type { AnyEventObject } from 'xstate';
import { eventOf, termsAt, type Run } from '../mailbox/batch.ts';
import { deadlineOf, depthOf } from '../mailbox/terms.ts';
import type { Progress } from '../wire/progress.ts';
import type { Acks } from './acks.ts';
import type { HostedInstance } from './hosted-instance.ts';
import { threadState, type OpenAsk } from './thread-state.ts';

/** A delivered batch, until all of it was handled. */
export interface Job {
  left: number;
}

interface QueuedRun {
  readonly job: Job;
  readonly run: Run;
  at: number;
}

/** Turns in a row that an instance may spend on what it sends itself before an envelope from outside has its own. */
const OWN_TURNS = 1024;

export interface LaneOptions {
  readonly instance: HostedInstance;
  readonly progress: Progress;
  readonly acks: Acks;
  /** Milliseconds of the host's clock. */
  readonly now: () => number;
  /** All of a job was handled. */
  readonly completed: (job: Job) => void;
  /** The time of an ask was up before its turn came. */
  readonly expired: (instance: HostedInstance, event: unknown) => void;
}

/** What one instance has to do in its thread: the envelopes that came for it, and before them what it sent itself. */
export class Lane {
  readonly instance: HostedInstance;
  /** It has its place among those that wait for their turn. */
  waiting = false;
  /** Envelopes it may handle before the next instance has its turn. */
  quantum: number;
  readonly #options: LaneOptions;
  #runs: QueuedRun[] = [];
  #own = 0;
  /** Asks whose event is still on its way through the instance. */
  #open: OpenAsk[] = [];

  constructor(options: LaneOptions, quantum: number) {
    this.#options = options;
    this.instance = options.instance;
    this.quantum = quantum;
  }

  get busy(): boolean {
    return this.#runs.length > 0 || this.instance.hasSteps;
  }

  push(job: Job, run: Run): void {
    job.left += run.length;
    this.#runs.push({ job, run, at: 0 });
  }

  /** Runs up to `max` turns; returns how many. */
  turns(max: number): number {
    const { instance } = this;
    let done = 0;
    while (done < max && !instance.ended) {
      if (instance.hasSteps && (this.#own < OWN_TURNS || this.#runs.length === 0)) {
        const steps = instance.steps(max - done);
        done += steps;
        this.#own += steps;
        continue;
      }
      if (this.#open.length > 0 && !instance.hasSteps) this.#closeOpen();
      const queued = this.#runs[0];
      if (queued === undefined) break;
      this.#own = 0;
      done += this.#some(queued, max - done);
    }
    if (this.#open.length > 0 && !instance.hasSteps) this.#closeOpen();
    return done;
  }

  /** The instance has ended: what is left is not handled here. The host still has it and decides. */
  leave(): void {
    this.#closeOpen();
    const runs = this.#runs;
    this.#runs = [];
    for (const { job, run, at } of runs) this.#done(job, run.length - at);
  }

  /** Turns of one run, until the instance has something of its own to do. */
  #some(queued: QueuedRun, max: number): number {
    const { instance } = this;
    const { progress, acks, now } = this.#options;
    const { run, job } = queued;
    const { asks } = run;
    const time = asks === null ? 0 : now();
    const end = Math.min(run.length, queued.at + max);
    const from = queued.at;
    let at = from;
    while (at < end && !instance.ended && (at === from || !instance.hasSteps)) {
      const event = eventOf(run, at) as AnyEventObject;
      // Before its turn, in which the instance may end and leave what is behind it.
      queued.at = at + 1;
      if (asks === null) {
        progress.begin(instance.slot);
        instance.turn(event, undefined);
        progress.end(instance.slot);
      } else {
        this.#ask(event, asks[0][at] as number, termsAt(asks, at), time);
      }
      at += 1;
    }
    // Whoever ended here, and took others with it, has left already.
    if (at === run.length && this.#runs[0] === queued) this.#runs.shift();
    acks.handled(instance, at - from);
    this.#done(job, at - from);
    return at - from;
  }

  #ask(event: AnyEventObject, tag: number, terms: number, time: number): void {
    const { instance } = this;
    const { progress, expired } = this.#options;
    const deadline = deadlineOf(terms);
    if (deadline <= time) {
      expired(instance, event);
      progress.end(instance.slot);
      return;
    }
    const ask: OpenAsk = { tag, deadline, depth: depthOf(terms), state: 'open', value: undefined };
    progress.begin(instance.slot);
    instance.turn(event, ask);
    progress.end(instance.slot);
    if (ask.state === 'open' && instance.hasSteps && !instance.ended) {
      threadState().asks.set(event, ask);
      this.#options.acks.deferred(instance, tag);
      this.#open.push(ask);
    } else {
      this.#close(ask);
    }
  }

  #close(ask: OpenAsk): void {
    const { acks } = this.#options;
    if (ask.state === 'answered') {
      acks.answered(ask.tag, ask.value);
    } else if (ask.state === 'deferred') {
      // Else it was answered within the turn that put it off.
      if (this.instance.deferred.has(ask.tag)) acks.deferred(this.instance, ask.tag);
    } else {
      acks.failed(ask.tag, this.instance.unanswered());
    }
  }

  #closeOpen(): void {
    const open = this.#open;
    this.#open = [];
    for (const ask of open) this.#close(ask);
  }

  #done(job: Job, count: number): void {
    job.left -= count;
    if (job.left === 0 && count > 0) this.#options.completed(job);
  }
}
