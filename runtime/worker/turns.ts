import { runAt, runCount, senderAt, traceAt, type Batch } from '../mailbox/batch.ts';
import type { Ack } from '../mailbox/outbox.ts';
import type { Trace } from '../mailbox/trace.ts';
import type { Progress } from '../wire/progress.ts';
import type { AckPace } from './ack-pace.ts';
import { eventLoop, type EventLoop } from './event-loop.ts';
import type { HostedInstance } from './hosted-instance.ts';
import { Lane, type Job, type LaneOptions } from './lane.ts';
import type { Source } from './inflow.ts';
import { SLICE_MS, TimeSlice } from './time-slice.ts';
import { continuation, outsideAll } from './trace-context.ts';

/** Envelopes of one instance before the next instance has its turn: actor-ts's number. */
const QUANTUM = 16;
/** Turns before timers and messages have their time: actor-ts's number. */
const SLICE = 64;
/**
 * Answers of a slice that leave before its end when they wait for a commit, so that the store works meanwhile: half of a
 * slice. With 64 asks in flight that gives about a quarter more of them than all at once; smaller parts cost more than they give.
 */
const PART = SLICE / 2;

interface DeliveredJob extends Job {
  resolve: ((ack: Ack) => void) | undefined;
  /** Present when its source counts its batches, until this one is counted. */
  pace: AckPace | undefined;
  /** Whether somebody waits for the ack. */
  readonly urgent: boolean;
}

export interface TurnsOptions {
  readonly progress: Progress;
  readonly now: () => number;
  /** Called before anything is acknowledged. */
  readonly beforeAck: () => void;
  readonly expired: LaneOptions['expired'];
  readonly refused: LaneOptions['refused'];
  readonly traced?: LaneOptions['traced'];
  /** Whether answers wait for a commit of their states. */
  readonly commits?: () => boolean;
  /** The host has not kept up with the reports: no turn runs until {@link Turns.resume}. */
  readonly held?: () => boolean;
  readonly loop?: EventLoop | undefined;
}

/**
 * Runs the turns of delivered batches: sixteen envelopes of one instance, then the next, in slices of the event loop.
 * Running all of them inside the port's message handler would starve every timer and every other port of the thread
 * while messages keep arriving; an idle thread runs the first few there, because that starves nobody.
 */
export class Turns {
  readonly #options: TurnsOptions;
  readonly #loop: EventLoop;
  readonly #sources = new Set<Source>();
  readonly #lanes = new Map<HostedInstance, Lane>();
  #ready: Lane[] = [];
  #armed = false;
  #telling = false;
  /** Turns outside a slice since the last slice. */
  #atOnce = 0;
  #completed: DeliveredJob[] = [];
  #toldAt = 0;
  readonly #timeSlice: TimeSlice;

  constructor(options: TurnsOptions) {
    this.#options = options;
    this.#loop = options.loop ?? eventLoop;
    this.#timeSlice = new TimeSlice({ now: () => this.#loop.now(), looks: () => options.progress.looks() });
  }

  /** Queues a batch; its ack comes when all of it was handled. */
  deliver(batch: Batch, source: Source): Promise<Ack> | Ack {
    const job: DeliveredJob = { source, left: 0, resolve: undefined, pace: undefined, urgent: true };
    this.#queue(batch, source, job);
    // The return value reports it.
    if (job.left === 0) return this.takeAck(source);
    return new Promise((resolve) => {
      job.resolve = resolve;
    });
  }

  /** Queues a batch of a source that counts its batches, and hears of this one at the pace of the source. */
  take(batch: Batch, source: Source, urgent: boolean): void {
    const job: DeliveredJob = { source, left: 0, resolve: undefined, pace: source.pace, urgent };
    source.pace?.began();
    this.#queue(batch, source, job);
    if (job.left === 0) settle(job);
  }

  #queue(batch: Batch, source: Source, job: DeliveredJob): void {
    this.#sources.add(source);
    const runs = runCount(batch);
    let trace: Trace | undefined;
    let from: string | undefined;
    for (let i = 0; i < runs; i++) {
      const next = traceAt(batch, i);
      if (next !== undefined) {
        trace = next;
        continue;
      }
      const sender = senderAt(batch, i);
      if (sender !== undefined) {
        from = sender;
        continue;
      }
      const run = runAt(batch, i);
      const traced = trace;
      const sentBy = from;
      trace = from = undefined;
      const inflow = source.inflowOf(run.slot);
      // Left uncounted: the sender still has it and decides.
      if (inflow === undefined || inflow.instance.ended) continue;
      const lane = this.#laneOf(inflow.instance);
      lane.push(job, run, inflow, traced, sentBy);
      this.#wait(lane);
    }
    const few = job.left > 0 && this.#atOnce + job.left <= QUANTUM;
    if (!this.#armed && few && this.#options.held?.() !== true) this.#runAtOnce(job.left);
    if (job.left > 0) this.#arm();
    else if (this.#completed.at(-1) === job) this.#completed.pop();
  }

  /** Whether a delivered envelope is not handled yet. */
  get busy(): boolean {
    for (const lane of this.#lanes.values()) if (lane.busy || lane.waits) return true;
    return false;
  }

  /** Resumes the turns, since the host has kept up. */
  resume(): void {
    if (this.#ready.length > 0) this.#arm();
  }

  /** Notes that the instance has steps to do. */
  wake(instance: HostedInstance): void {
    // The instance may have ended in the turn in which it sent itself so much.
    if (instance.ended) return;
    const lane = this.#laneOf(instance);
    lane.stepsIn = continuation();
    this.#wait(lane);
    this.#arm();
  }

  /** Handles no envelope of the instance until it goes on or leaves. */
  pause(instance: HostedInstance): void {
    this.#laneOf(instance).paused = true;
  }

  goOn(instance: HostedInstance): void {
    const lane = this.#lanes.get(instance);
    if (lane?.paused !== true) return;
    lane.paused = false;
    this.wake(instance);
  }

  /** Handles no envelope of the instance until what is returned is called. */
  rest(instance: HostedInstance): () => void {
    const lane = this.#laneOf(instance);
    lane.rests += 1;
    return () => {
      lane.rests -= 1;
      if (this.#lanes.get(instance) === lane) this.wake(instance);
    };
  }

  /** Removes an instance that has ended. */
  leave(instance: HostedInstance): void {
    this.#lanes.get(instance)?.leave();
    this.#lanes.delete(instance);
    this.#tell();
    if (this.#completed.length > 0) this.#arm();
  }

  /** Acknowledges at once what was handled and answered, instead of with the next slice. Not from within a turn. */
  tell(): void {
    this.#acknowledgeSome();
  }

  /** Whether an ask of the instance is still on its way through it. */
  isAsked(instance: HostedInstance): boolean {
    return this.#lanes.get(instance)?.asked === true;
  }

  /** Whether an event of the instance is not handled, or an ask is still on its way through it. */
  hasWork(instance: HostedInstance): boolean {
    const lane = this.#lanes.get(instance);
    return lane !== undefined && (lane.busy || lane.asked || lane.paused || lane.rests > 0);
  }

  /** Adds a source that has sent nothing here: asks of it were put off in another thread or process. */
  know(source: Source): void {
    this.#sources.add(source);
  }

  /** Forgets a thread that is gone. */
  forget(source: Source): void {
    this.#sources.delete(source);
  }

  /** Answers an ask that was put off; `false` when it is over. */
  answer(instance: HostedInstance, id: number, value: unknown): boolean {
    const deferred = instance.deferred.get(id);
    if (deferred === undefined) return false;
    instance.deferred.delete(id);
    const { ask, asker } = deferred;
    ask.state = 'answered';
    ask.value = value;
    // Within the turn that put the ask off no asker is known yet, and the end of that turn tells of the answer.
    if (asker !== undefined) instance.answer(ask, asker.acks);
    this.#tell();
    return true;
  }

  /** Fails an ask that was put off. */
  refuse(instance: HostedInstance, id: number, error: unknown): void {
    const deferred = instance.deferred.get(id);
    if (deferred === undefined) return;
    instance.deferred.delete(id);
    const { ask, asker } = deferred;
    ask.state = 'failed';
    ask.value = error;
    if (asker !== undefined) instance.fail(ask, asker.acks, error);
    this.#tell();
  }

  #tell(): void {
    if (this.#telling) return;
    this.#telling = true;
    this.#loop.immediate(() => {
      this.#telling = false;
      this.#acknowledgeSome();
    });
  }

  #laneOf(instance: HostedInstance): Lane {
    let lane = this.#lanes.get(instance);
    if (lane === undefined) {
      const { progress, now, expired, refused, traced } = this.#options;
      const completed = (job: Job): void => void this.#completed.push(job as DeliveredJob);
      const slice = this.#timeSlice;
      lane = new Lane({ instance, progress, slice, now, completed, expired, refused, traced }, QUANTUM);
      this.#lanes.set(instance, lane);
    }
    return lane;
  }

  #wait(lane: Lane): void {
    if (lane.waiting) return;
    lane.waiting = true;
    this.#ready.push(lane);
  }

  #arm(): void {
    if (this.#armed) return;
    this.#armed = true;
    outsideAll(this.#armSlice);
  }

  readonly #armSlice = (): void => this.#loop.immediate(this.#slice);

  /** Runs a few turns without a slice of their own; the next slice allows as many again. */
  #runAtOnce(turns: number): void {
    const ready = this.#ready;
    this.#ready = [];
    if (turns === 1) this.#timeSlice.beginOne();
    else this.#timeSlice.begin();
    let isUp = false;
    for (const lane of ready) {
      lane.waiting = false;
      if (!isUp) {
        this.#atOnce += lane.turns(turns === 1 ? 1 : QUANTUM);
        isUp = this.#timeSlice.look(lane.pace);
      }
      if (lane.busy && !lane.instance.ended) this.wake(lane.instance);
    }
    // Later envelopes have a slice of their own, after the timers and messages that are due.
    if (isUp) this.#atOnce = QUANTUM;
  }

  readonly #slice = (): void => {
    this.#armed = false;
    if (this.#options.held?.() === true) return;
    this.#atOnce = 0;
    this.#turns(SLICE);
    this.#acknowledge();
    if (this.#ready.length > 0) this.#arm();
    // What steps have answered belongs to no batch any more, and no slice may follow.
    else for (const source of this.#sources) if (!source.acks.isPlain) this.#acknowledgeTo(source);
  };

  /** Runs up to `max` turns, instance by instance, until the time is up. */
  #turns(max: number): void {
    const slice = this.#timeSlice;
    slice.begin();
    let done = 0;
    let turn = 0;
    let isUp = false;
    const inParts = this.#options.commits?.() === true;
    while (turn < this.#ready.length && done < max && !isUp) {
      const lane = this.#ready[turn++] as Lane;
      lane.waiting = false;
      const before = slice.lookedAt;
      // A look counts as a turn, so that ended instances cannot hold the loop.
      done += Math.max(1, lane.turns(Math.min(lane.quantum, max - done)));
      if (lane.busy && !lane.instance.ended) this.#wait(lane);
      if (inParts && turn < this.#ready.length) this.#acknowledgePart();
      isUp = slice.look(lane.pace);
      // A slow instance gets fewer turns in a row.
      const tookLong = slice.lookedAt - before > SLICE_MS;
      lane.quantum = tookLong ? Math.ceil(lane.quantum / 4) : Math.min(QUANTUM, lane.quantum * 2);
    }
    this.#ready = this.#ready.slice(turn);
  }

  /** The acks leave when this callback has returned: another batch in it would keep the sender waiting. */
  #acknowledge(): void {
    const completed = this.#completed;
    if (completed.length > 0) {
      this.#completed = [];
      for (const job of completed) {
        if (job.pace !== undefined) settle(job);
        else job.resolve?.(this.takeAck(job.source));
      }
    }
    const now = this.#loop.now();
    if (now - this.#toldAt > SLICE_MS) {
      this.#toldAt = now;
      for (const source of this.#sources)
        if (source.pace?.isIdle !== true || !source.acks.isPlain) this.#acknowledgeTo(source);
    }
  }

  #acknowledgeSome(): void {
    for (const source of this.#sources) this.#acknowledgeTo(source);
  }

  #acknowledgeTo(source: Source): void {
    if (source.pace?.pending ?? source.acks.pending) source.acknowledge(this.takeAck(source));
  }

  #acknowledgePart(): void {
    for (const source of this.#sources)
      if (source.acks.answers >= PART) source.acknowledge(this.takeAck(source));
  }

  /** Returns what the source has not been told yet, once. */
  takeAck({ acks }: Source): Ack {
    this.#options.beforeAck();
    return acks.take();
  }
}

/** A batch that is complete counts once. */
function settle(job: DeliveredJob): void {
  const { pace, urgent } = job;
  job.pace = undefined;
  pace?.completed(urgent);
}
