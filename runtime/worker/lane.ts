import type { AnyEventObject } from 'xstate';
import { eventOf, termsAt, type Run } from '../mailbox/batch.ts';
import { deadlineOf, depthOf, keptOf, streamsOf } from '../mailbox/terms.ts';
import type { Trace } from '../mailbox/trace.ts';
import type { EventIssue } from '../base/event-issue.ts';
import type { Progress } from '../wire/progress.ts';
import type { HostedInstance } from './hosted-instance.ts';
import type { Inflow, Source } from './inflow.ts';
import { threadState, type OpenAsk } from './thread-state.ts';
import { newPace, type TimeSlice } from './time-slice.ts';
import { inTrace } from './trace-context.ts';

/** A delivered batch, until all of it was handled. */
export interface Job {
  readonly source: Source;
  left: number;
}

interface OwnAsk {
  readonly ask: OpenAsk;
  readonly inflow: Inflow;
}

interface QueuedRun {
  readonly job: Job;
  readonly inflow: Inflow;
  readonly run: Run;
  /** The trace of its one envelope; of all of them where nothing is told of it. */
  readonly trace: Trace | undefined;
  /** The address of the agent that sent its one envelope by way of the host. */
  readonly from: string | undefined;
  at: number;
}

/**
 * The last id of an ask, over all instances of the thread. It begins at a random number, so that a token of an earlier
 * process finds no ask.
 */
let lastAsk = Math.floor(Math.random() * 2 ** 50);

/** The most turns in a row that an instance may spend on its own events before an envelope from outside has a turn. */
const OWN_TURNS = 1024;

/** An event that had no turn, because it does not fit. */
export interface Refused {
  readonly inflow: Inflow;
  readonly event: AnyEventObject;
  /** Of an ask; 0 for another event. */
  readonly tag: number;
  /** Its place among the envelopes of the inflow that are handled and not counted yet. */
  readonly nth: number;
  readonly issues: readonly EventIssue[];
}

export interface LaneOptions {
  readonly instance: HostedInstance;
  readonly progress: Progress;
  /** The time slice in which the lane runs. */
  readonly slice: TimeSlice;
  /** Milliseconds of the host's clock. */
  readonly now: () => number;
  /** The whole of a job was handled. */
  readonly completed: (job: Job) => void;
  /** An ask expired before its turn. */
  readonly expired: (inflow: Inflow, event: unknown) => void;
  /** An event does not fit what the agent accepts; it is the `nth` of those that are counted next. */
  readonly refused: (refused: Refused) => void;
  /** A traced envelope was handled, between these two times. Default: not reported. */
  readonly traced?:
    | ((inflow: Inflow, trace: Trace, from: number, to: number, sender: string | undefined) => void)
    | undefined;
}

/**
 * The work of one instance in its thread: the envelopes that came for it, and before them the events it sent itself.
 */
export class Lane {
  readonly instance: HostedInstance;
  /** The lane has its place among those that wait for their turn. */
  waiting = false;
  /** Envelopes that the instance may handle before the next instance has its turn. */
  quantum: number;
  /** Surrounds the instance's own events where they belong to a trace. */
  stepsIn: ((run: () => void) => void) | undefined;
  /** No envelope is handled, because the instance is about to move. */
  paused = false;
  /** How often no envelope is handled because the last state is large, and is being committed. */
  rests = 0;
  /** The pace at which the clock is read during its turns. */
  readonly pace = newPace();
  readonly #options: LaneOptions;
  #runs: QueuedRun[] = [];
  #own = 0;
  /** The time of the current slice is up. */
  #isUp = false;
  /** Asks whose event is still on its way through the instance. */
  #open: OwnAsk[] = [];

  constructor(options: LaneOptions, quantum: number) {
    this.#options = options;
    this.instance = options.instance;
    this.quantum = quantum;
  }

  get busy(): boolean {
    return (this.#runs.length > 0 && !this.#isHeld) || this.instance.hasSteps;
  }

  /** Whether it rests before envelopes. */
  get waits(): boolean {
    return this.rests > 0 && this.#runs.length > 0;
  }

  get #isHeld(): boolean {
    return this.paused || this.rests > 0;
  }

  /** Whether an ask is still on its way through the instance. */
  get asked(): boolean {
    return this.#open.length > 0;
  }

  push(job: Job, run: Run, inflow: Inflow, trace?: Trace, from?: string): void {
    job.left += run.length;
    inflow.queued += run.length;
    this.#runs.push({ job, run, inflow, trace, from, at: 0 });
  }

  /** Runs up to `max` turns, until the time of the slice is up; returns how many it ran. */
  turns(max: number): number {
    return this.instance.inOwnWork(this.#turns, max);
  }

  readonly #turns = (max: number): number => {
    const { instance } = this;
    let done = 0;
    this.#isUp = false;
    while (done < max && !instance.ended && !this.#isUp) {
      if (instance.hasSteps && (this.#own < OWN_TURNS || this.#runs.length === 0 || this.#isHeld)) {
        const steps = this.#step();
        done += steps;
        this.#own += steps;
        this.#isUp = this.#options.slice.isUp(this.pace, steps);
        continue;
      }
      if (this.#open.length > 0 && !instance.hasSteps) this.#closeOpen();
      const queued = this.#runs[0];
      if (queued === undefined || this.#isHeld) break;
      this.#own = 0;
      done += this.#some(queued, max - done);
    }
    if (this.#open.length > 0 && !instance.hasSteps) this.#closeOpen();
    return done;
  };

  #step(): number {
    const { instance, stepsIn } = this;
    let steps = 0;
    if (stepsIn === undefined) return instance.steps(1);
    stepsIn(() => {
      steps = instance.inOwnWork((max) => instance.steps(max), 1);
    });
    if (!instance.hasSteps) this.stepsIn = undefined;
    return steps;
  }

  /** Drops what is left of an instance that has ended. The sender still has it and decides. */
  leave(): void {
    this.#closeOpen();
    const { deferred } = this.instance;
    for (const { ask, asker } of deferred.values()) asker?.acks.failed(ask.tag, this.instance.ending());
    deferred.clear();
    const runs = this.#runs;
    this.#runs = [];
    for (const { job, run, inflow, at } of runs) this.#done(job, inflow, run.length - at);
  }

  /** Runs turns of one run, until the instance has events of its own to handle. */
  #some(queued: QueuedRun, max: number): number {
    return queued.trace === undefined ? this.#run(queued, max) : this.#traced(queued, queued.trace, max);
  }

  #run(queued: QueuedRun, max: number): number {
    const { instance } = this;
    const { progress, now, slice } = this.#options;
    const { run, job, inflow } = queued;
    const { asks } = run;
    const sender = queued.from ?? inflow.from;
    const time = asks === null ? 0 : now();
    instance.sentAt = queued.trace?.sentAt;
    const end = Math.min(run.length, queued.at + max);
    const from = queued.at;
    let at = from;
    while (at < end && !instance.ended && (at === from || !instance.hasSteps)) {
      const event = eventOf(run, at) as AnyEventObject;
      // Advanced before the turn, in which the instance may end and leave the rest of the run.
      queued.at = at + 1;
      if (asks === null) {
        progress.begin(inflow.slot);
        const admitted = instance.contract === undefined ? event : this.#admit(event, inflow, 0, at - from);
        if (admitted !== undefined) instance.turn(admitted, undefined, sender);
        progress.end(inflow.slot);
      } else {
        this.#ask(event, inflow, sender, asks[0][at] as number, termsAt(asks, at), time, at - from);
      }
      at += 1;
      if (slice.isUp(this.pace)) {
        this.#isUp = true;
        break;
      }
    }
    // An instance that ended in this turn, perhaps taking others with it, has left already.
    if (at === run.length && this.#runs[0] === queued) this.#runs.shift();
    inflow.asker.acks.handled(inflow, at - from);
    this.#done(job, inflow, at - from);
    return at - from;
  }

  /** Runs the turn of a traced envelope as part of its trace, or those of a run of which nothing is told. */
  #traced(queued: QueuedRun, trace: Trace, max: number): number {
    if (!trace.told) return inTrace(trace.headers, () => this.#run(queued, max));
    const { now, traced } = this.#options;
    const from = now();
    try {
      return inTrace(trace.headers, () => this.#run(queued, 1));
    } finally {
      traced?.(queued.inflow, trace, from, now(), queued.from ?? queued.inflow.from);
    }
  }

  /** Returns the event as its schema gives it; undefined when it does not fit, which is told. */
  #admit(event: AnyEventObject, inflow: Inflow, tag: number, nth: number): AnyEventObject | undefined {
    const found = this.instance.admit(event);
    if ('value' in found) return found.value as AnyEventObject;
    this.#options.refused({ inflow, event, tag, nth, issues: found.issues });
    return undefined;
  }

  #ask(
    sent: AnyEventObject,
    inflow: Inflow,
    sender: string | undefined,
    tag: number,
    terms: number,
    time: number,
    nth: number,
  ): void {
    const { instance } = this;
    const { progress, expired } = this.#options;
    const deadline = deadlineOf(terms);
    if (deadline <= time) {
      expired(inflow, sent);
      inflow.asker.acks.expired(tag);
      progress.end(inflow.slot);
      return;
    }
    lastAsk += 1;
    const ask: OpenAsk = {
      id: lastAsk,
      type: sent.type,
      tag,
      deadline,
      depth: depthOf(terms),
      streams: streamsOf(terms),
      kept: keptOf(terms),
      state: 'open',
      value: undefined,
      stream: undefined,
    };
    progress.begin(inflow.slot);
    const event = instance.contract === undefined ? sent : this.#admit(sent, inflow, tag, nth);
    if (event !== undefined) instance.turn(event, ask, sender);
    progress.end(inflow.slot);
    if (event === undefined) return;
    if (ask.state === 'open' && instance.hasSteps && !instance.ended) {
      threadState().asks.set(event, ask);
      inflow.asker.acks.deferred(inflow, tag);
      this.#open.push({ ask, inflow });
    } else {
      this.#close(ask, inflow);
    }
  }

  #close(ask: OpenAsk, inflow: Inflow): void {
    const { acks } = inflow.asker;
    if (ask.state === 'answered') return this.instance.answer(ask, acks);
    if (ask.state === 'failed') return this.instance.fail(ask, acks, ask.value);
    if (ask.state === 'open') return this.instance.fail(ask, acks, this.instance.unanswered());
    const deferred = this.instance.deferred.get(ask.id);
    if (this.instance.ended) {
      this.instance.deferred.delete(ask.id);
      return acks.failed(ask.tag, this.instance.ending());
    }
    if (deferred === undefined) return;
    deferred.asker = inflow.asker;
    this.instance.putOffKept(ask);
    acks.deferred(inflow, ask.tag);
  }

  #closeOpen(): void {
    const open = this.#open;
    this.#open = [];
    for (const { ask, inflow } of open) this.#close(ask, inflow);
  }

  #done(job: Job, inflow: Inflow, count: number): void {
    if (count === 0) return;
    job.left -= count;
    inflow.queued -= count;
    if (job.left === 0) this.#options.completed(job);
    if (inflow.queued === 0) inflow.idle?.();
  }
}
