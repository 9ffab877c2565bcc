import type { ThreadCause, ThreadEvent } from '../../actors/thread.ts';
import type { MessagePort } from 'node:worker_threads';
import { debuggerAttached } from './attached.ts';
import { within, type Clock } from '../base/clock.ts';
import { typeOf, type Evidence } from '../dead-letters/dead-letters.ts';
import type { ResolvedAgent, ResolvedPool } from '../config/resolve.ts';
import type { HoldfastError } from '../base/errors.ts';
import { HeapBudget } from './heap-budget.ts';
import type { Question } from '../instance/berth.ts';
import type { Tenant } from './tenant.ts';
import type { Logger } from '../base/logger.ts';
import type { Batch } from '../mailbox/batch.ts';
import { Outbox, type Ack } from '../mailbox/outbox.ts';
import { isHeaders, type TraceHeaders } from '../mailbox/trace.ts';
import { transferablesOf } from '../mailbox/transfer.ts';
import type { Waiting } from '../mailbox/waiting.ts';
import { Deactivations } from './deactivations.ts';
import { startWorker, type OsThread, type PrintTo, type StartThread } from './os-thread.ts';
import { isPeerRequest, type PeerBroker } from './peer-broker.ts';
import { refusal, unclonableAdvice } from '../dead-letters/refusal.ts';
import { Seat, type SeatThread } from './seat.ts';
import { Seats } from './seats.ts';
import { Standstill } from './standstill.ts';
import type { Caller } from '../secrets/secret-use.ts';
import { sharesMemory, withoutShared } from '../wire/shared-memory.ts';
import { takeAnswers } from './thread-answers.ts';
import {
  batchRefused,
  cannotRun,
  nobodyWaits,
  instanceNotStarted,
  threadAbandoned,
  threadEnded,
  threadExited,
  threadFailed,
  threadHung,
  threadNotStarted,
  threadUnread,
  threadUnreadable,
  unreadByThread,
  unclonableStart,
} from './thread-errors.ts';
import type { MessageObserver } from '../mailbox/message-observer.ts';
import type { ThreadInspection } from './thread-inspection.ts';
import { ThreadReports } from './thread-reports.ts';
import { VitalSigns, type ThreadVitals } from './vital-signs.ts';
import { Watchdog } from './watchdog.ts';
import { reasonOf } from '../instance/watchers.ts';
import { isClonable } from '../wire/errors.ts';
import { openLink, type Link } from '../wire/link.ts';
import { createProgress } from '../wire/progress.ts';
import {
  LISTS,
  type Admission,
  type CarriedAsk,
  type Departed,
  type HostMethod,
  type LetterReport,
  type SecretUseName,
  type Severance,
  type ThreadMethod,
} from '../wire/protocol.ts';
import {
  isCarriedAsk,
  isCount,
  isDeparted,
  isListOf,
  isPersistedState,
  isWireSnapshot,
} from '../wire/shapes.ts';
import { toUnshared, type WireSnapshot } from '../wire/snapshot.ts';

export interface ThreadHostOptions {
  readonly pool: ResolvedPool;
  readonly n: number;
  readonly name: string;
  /** Modules of the agents that may run here. */
  readonly moduleUrls: readonly string[];
  /** Those that it has to be able to run, or is of no use. Default: none. */
  readonly runs?: readonly ResolvedAgent[] | undefined;
  readonly clock: Clock;
  /** Default: a worker thread of Node. */
  readonly startThread?: StartThread | undefined;
  /** When the first of a batch leaves. Default: at the end of the turn that sends it. */
  readonly soon?: ((run: () => void) => void) | undefined;
  /** Takes the values of secrets out of a text. */
  readonly scrubText: (text: string) => string;
  /** What its agents print goes to the logger, line by line. Default: to the output of the process. */
  readonly logsPrinted?: boolean | undefined;
  readonly waiting: Waiting;
  readonly instanceAt: (address: string) => Tenant | undefined;
  /** Has the pool replace a thread, if its instances can move soon. */
  readonly recycle: (n: number) => void;
  /** Gives a place back to the pool that nobody takes. */
  readonly release: (n: number) => void;
  /** Tells the thread's actor what happened to the worker. */
  readonly tell: (event: ThreadEvent) => void;
  /** An instance asks the host to use a secret on its behalf. */
  readonly useSecret: (
    caller: Caller,
    use: SecretUseName,
    input: unknown,
    signal: AbortSignal,
    /** The trace that it is a part of. */
    headers: TraceHeaders | undefined,
  ) => Promise<unknown>;
  readonly warn: (fields: object, message: string) => void;
  /** The host's log. */
  readonly logger: Logger;
  /** Tells of what was handled, if somebody listens. */
  readonly messages?: Pick<MessageObserver, 'handled'> | undefined;
  /** Where what is inspected goes. Default: nowhere. */
  readonly inspection?: ThreadInspection | undefined;
  /** Opens the ways between agents. */
  readonly broker: PeerBroker;
  /** What one agent sent another came to nothing. */
  readonly letter: (letter: LetterReport) => void;
}

const BUSY =
  'what a thread does outside of turns, in a timer or while it loads a module, takes long, and its instances wait';
const MB = 1024 * 1024;
/** Violations of a thread that are told one by one; from there on each time their number has doubled. */
const TOLD_VIOLATIONS = 10;

/** What a thread may answer to a question of an instance. */
const ANSWERS: Readonly<Record<Question, (answer: unknown) => answer is unknown>> = {
  snapshot: isWireSnapshot,
  persist: isPersistedState,
  can: (answer: unknown): answer is boolean => typeof answer === 'boolean',
  putOff: (answer: unknown): answer is readonly CarriedAsk[] => isListOf(answer, isCarriedAsk),
};
const SLOW =
  'a turn takes long, and the other instances of its thread wait; do such work in steps or elsewhere';

/** The host's side of one worker thread: starts it, talks to it, and knows what it had in hand when it died. */
export class ThreadHost implements SeatThread {
  readonly n: number;
  readonly name: string;
  readonly #options: ThreadHostOptions;
  readonly #progress = createProgress();
  readonly #seats: Seats;
  readonly #worker: OsThread;
  readonly #link: Link;
  readonly outbox: Outbox;
  /** Resolves when the operating system has let go of it. */
  readonly exited: Promise<void>;
  #ready = false;
  /** Of those that are to run here when the thread is up. */
  #queue: Seat[] = [];
  #gone = false;
  readonly #woundDown = new WeakSet<Tenant>();
  #movingOut: 'held' | 'at-work' | undefined;
  readonly #departures = new Set<Promise<void>>();
  /** Uses of secrets that its instances wait for, by the number they have there. */
  readonly #uses = new Map<number, AbortController>();
  #delivered = 0;
  #violations = 0;
  #uncaught: { readonly thrown: unknown } | undefined;
  /** Told that nobody knows whether a debugger is attached. */
  #undecided = false;
  #failure: Error | undefined;
  #cause: ThreadCause = 'exit';
  readonly #watchdog: Watchdog;
  readonly #deactivations: Deactivations;
  #standstill: Standstill | undefined;
  #heapBudget: HeapBudget | undefined;
  readonly #vitals: VitalSigns;

  constructor(options: ThreadHostOptions) {
    const { pool, waiting } = options;
    this.#options = options;
    this.n = options.n;
    this.name = options.name;
    const { startThread = startWorker, name, moduleUrls, scrubText, logger } = options;
    const clockOrigin = Number(process.hrtime.bigint()) / 1e6 - options.clock.now();
    const { threadId, sharedMemory } = pool;
    const data = { progress: this.#progress.buffer, threadId, sharedMemory, clockOrigin };
    this.#seats = new Seats({
      progress: this.#progress,
      broker: options.broker,
      waiting,
      outbox: () => this.outbox,
      release: () => this.release(),
    });
    this.#deactivations = new Deactivations({
      progress: this.#progress,
      takeSlot: () => this.#seats.takeSlot(),
      call: (slots, counted) => this.#call('deactivate', slots, counted),
    });
    const reports = new ThreadReports({
      ...options,
      seats: this.#seats,
      violated: (what, fields) => this.#violated(what, fields),
      lost: (what, fields) => void this.#broke(what, fields),
      uncaught: (thrown) => void (this.#uncaught = { thrown }),
    });
    const print: PrintTo = (stream, line) =>
      logger[stream === 'stdout' ? 'info' : 'warn']({ printed: stream, threadId, thread: name }, line);
    this.#worker = startThread({
      pool,
      name,
      moduleUrls,
      scrubText,
      print: options.logsPrinted === true ? print : undefined,
      data,
    });
    this.#vitals = new VitalSigns(this.#worker, options.clock);
    this.#worker.on('error', (error) => this.#failed(error));
    this.exited = new Promise((resolve) => {
      this.#worker.on('exit', (code) => {
        this.#exited(code);
        resolve();
      });
    });
    this.#link = openLink(this.#worker.port, {
      expose: {
        report: (items: readonly unknown[]) => reports.take(items),
        acknowledge: (ack: Ack) => this.outbox.acknowledge(ack),
        secret: (...[slot, incarnation, use, input, n, trace]: readonly unknown[]) =>
          isCount(slot) && isCount(incarnation) && typeof use === 'string' && isCount(n)
            ? this.#useSecret(slot, incarnation, use as SecretUseName, input, n, trace)
            : this.#refuse('secret'),
        giveUp: (n: number) => this.#uses.get(n)?.abort(nobodyWaits()),
        connect: (...[sender, address, id, taken, activate]: readonly unknown[]) => {
          const request = { sender, address, id, taken, activate };
          return isPeerRequest(request) ? options.broker.connect(this, request) : this.#refuse('connect');
        },
        disconnect: (line: number) => options.broker.disconnect(this, line),
        inspected: (events: unknown, sampled: unknown) => {
          const fits = options.inspection?.fromThread(
            { threadId: pool.threadId, n: this.n, name },
            events,
            sampled,
          );
          if (fits === false) this.#violated('malformed inspection events');
        },
        unread: (peer: unknown) => {
          if (peer === undefined) this.#lostFrame(unreadByThread(name));
          else if (isCount(peer)) void options.broker.unread(this, peer);
          else this.#refuse('unread');
        },
        ended: (address: unknown) =>
          typeof address === 'string' ? options.broker.ended(this, address) : this.#refuse('ended'),
      },
      lists: LISTS,
      mailbox: ['report', 'acknowledge', 'secret'],
      transferablesOf: (result) => transferablesOf([result]),
      onViolation: (what) => this.#violated(what),
      onLost: () => this.#lostFrame(threadUnread(name)),
      // A thread that cannot be spoken to is of no use; its exit says why to those who wait.
      onClose: () => this.#worker.terminate(),
    });
    this.outbox = new Outbox({
      deliver: (batch, transfer) => this.#deliver(batch, transfer),
      delivered: (tag) => waiting.resolve(tag),
      expired: ({ slot }, event, tag) => this.#seats.at(slot)?.instance.inbox.refuse(event, tag, 'expired'),
      answered: (ack) => takeAnswers(ack, { waiting, pool, seats: this.#seats }),
      malformed: () => void this.#broke('a malformed acknowledgement'),
      now: () => options.clock.now(),
      ...(options.soon && { soon: options.soon }),
      isClonable,
      unclonable: ({ slot }, event, tag) =>
        this.#seats
          .at(slot)
          ?.instance.inbox.refuse(event, tag, 'unclonable', undefined, unclonableAdvice(event)),
    });
    this.#watchdog = new Watchdog({
      clock: options.clock,
      ...pool.watchdog,
      progress: this.#progress,
      utilization: this.#worker.readLoad?.() ?? (() => undefined),
      ping: () => this.#link.call('hello' satisfies ThreadMethod),
      awaited: () => this.#link.pending > 0,
      debugged: () => this.#isDebugged(),
      slow: (slot, ms) =>
        options.warn({ thread: this.name, ms, ...this.#doing(slot).fields }, slot === -1 ? BUSY : SLOW),
      hung: (slot, ms) => this.#hung(slot, ms),
    });
    this.#link.call('hello' satisfies ThreadMethod).then(
      () => this.#begin(),
      // Told by the worker's own error and exit.
      () => {},
    );
  }

  /** Node's id of the worker thread; -1 when it is gone. */
  get thread(): number {
    return this.#worker.threadId;
  }

  get pool(): string {
    return this.#options.pool.threadId;
  }

  get instances(): number {
    return this.#seats.size;
  }

  /** How busy it is, and how much it keeps. */
  get vitals(): ThreadVitals {
    return this.#vitals.look();
  }

  /** Turns that have begun on it, modulo 2^32. */
  get turns(): number {
    return this.#progress.turns();
  }

  /** Nothing that came is unhandled, and nothing that was sent from here. */
  async quiet(): Promise<boolean> {
    if (this.#gone || !this.#ready) return true;
    return this.#call('quiet').then(
      (quiet) => quiet === true,
      () => this.#gone,
    );
  }

  /** Those that run on it, or start. */
  occupants(): Tenant[] {
    return this.#seats.all().map(({ instance }) => instance);
  }

  /** Whether the instance was stopped because the thread was to end. */
  hasWoundDown(instance: Tenant): boolean {
    return this.#woundDown.has(instance);
  }

  /** It has started. */
  get ready(): boolean {
    return this.#ready;
  }

  /** Nothing is heard of the thread any more. */
  get gone(): boolean {
    return this.#gone;
  }

  /** Gives a place back to the pool. */
  release(): void {
    this.#options.release(this.n);
  }

  /** Runs the instance here, as soon as the thread is up. */
  host(address: string): void {
    const instance = this.#options.instanceAt(address);
    if (instance === undefined) return this.release();
    const seat = new Seat(this, instance);
    if (!instance.placed(seat)) return this.release();
    if (this.#ready) void this.#activate(seat);
    else this.#queue.push(seat);
  }

  /** Has all instances go elsewhere, as soon as they can. `hold`: who cannot yet handles no further event until then. */
  moveOut(hold: boolean): void {
    this.#movingOut = hold ? 'held' : 'at-work';
    for (const seat of this.#seats.all()) if (seat.attachment !== undefined) this.#sendOff(seat);
  }

  /** Those that can go do so at once; the thread is of no more use to the others. */
  async hurry(): Promise<void> {
    this.#call('hurry').catch(() => {});
    await Promise.all(this.#departures);
    this.#options.tell({ type: 'worker.vacated' });
  }

  /**
   * Stops those that have not gone, the last started first: they begin anew elsewhere, and what they had begun here is
   * over before. The thread is to end.
   */
  async windDown(): Promise<void> {
    this.#movingOut = undefined;
    const reason = threadEnded(this.name, 'recycled');
    const left = this.#seats.all().filter(({ attachment }) => attachment !== undefined);
    const stopped = left.toReversed().map(async (seat) => {
      this.#seats.endDeferred(seat, reason);
      await this.#deactivations.stop(seat.slot);
      this.#seats.vacate(seat, { failed: 'between' });
      if (!seat.instance.holds(seat)) return;
      this.#woundDown.add(seat.instance);
      seat.instance.failed(reason, 'stopped');
    });
    await Promise.allSettled(stopped);
    this.#options.tell({ type: 'worker.emptied' });
  }

  /** Those that have not gone stay. */
  stay(): void {
    this.#movingOut = undefined;
    for (const { slot, attachment } of this.#seats.all()) {
      if (attachment === undefined) continue;
      this.#call('stay', slot).catch(() => {});
    }
  }

  #sendOff(seat: Seat): void {
    const departure = this.#depart(seat);
    this.#departures.add(departure);
    void departure.finally(() => {
      this.#departures.delete(departure);
      this.#perhapsVacated();
    });
  }

  /** Nobody is on the way out, or about to run here: who is left cannot go, and those that have gone may wait for the place. */
  #perhapsVacated(): void {
    if (this.#movingOut === undefined || this.#gone || this.#departures.size > 0) return;
    const starting = this.#seats.all().some(({ attachment }) => attachment === undefined);
    if (!starting) this.#options.tell({ type: 'worker.vacated' });
  }

  async #depart(seat: Seat): Promise<void> {
    const { instance, slot } = seat;
    try {
      const state = await this.#answer('depart', isDepartedOrNone, [slot, this.#movingOut === 'held']);
      if (state === undefined || !this.#seats.isTaken(seat)) return;
      const { asks = [], ...from } = state;
      // Of what it says to have put off, only what this thread was asked.
      const carried = asks.filter(({ tag }) => seat.deferred.delete(tag));
      this.#seats.vacate(seat);
      if (instance.holds(seat)) instance.departed(from, carried);
    } catch (error) {
      if (this.#gone) return;
      const fields = { thread: this.name, address: instance.address, error };
      this.#options.warn(
        fields,
        'an instance cannot move to another thread, and stays on one that is to be replaced',
      );
    }
  }

  /** What it has ended with. */
  failure(code: number): Error {
    return this.#failure ?? threadExited(this.name, code);
  }

  /** Why the thread has ended, or is about to. */
  get cause(): ThreadCause {
    return this.#cause;
  }

  /** Ends the thread, with whatever still runs on it. */
  end(cause: ThreadCause): void {
    this.#cause = cause;
    if (cause === 'init-timeout') {
      this.#failure ??= threadNotStarted(this.name, this.#options.pool.startTimeoutMs);
    } else if (cause === 'shutdown' || cause === 'recycled') {
      this.#failure ??= threadEnded(this.name, cause);
    }
    this.#worker.terminate();
  }

  /** Opens or closes the mirror of an instance. */
  watch(seat: Seat, watched: boolean): void {
    this.#call('watch', seat.slot, watched).catch(() => {});
  }

  async ask(seat: Seat, method: Question, args: readonly unknown[]): Promise<unknown> {
    const { pool } = this.#options;
    withoutShared(args, pool, 'MESSAGE_UNCLONABLE', `what ${method}() was given`);
    const { address } = seat.instance;
    const answer = await this.#answer<unknown>(method, ANSWERS[method], [seat.slot, ...args], (error) =>
      refusal(address, 'unclonable', error, unclonableAdvice(args[0])),
    );
    if (method === 'snapshot' && !pool.sharedMemory && sharesMemory(answer)) {
      return toUnshared(answer as WireSnapshot);
    }
    return withoutShared(answer, pool, 'REPLY_UNCLONABLE', `what ${method}() gives`);
  }

  /** What the thread answers, which may be anything; a thread that answers past the question is of no use. */
  async #answer<T>(
    method: ThreadMethod,
    fits: (answer: unknown) => answer is T,
    args: readonly unknown[],
    refused: (error: unknown) => unknown = (error) => error,
  ): Promise<T> {
    const answer = await this.#callWithCare(method, args, refused);
    if (fits(answer)) return answer;
    throw this.#broke(`a malformed answer to "${method}"`);
  }

  /** Stops the instance in its thread; afterwards nothing more is heard of it. */
  async deactivate(seat: Seat): Promise<void> {
    await this.#deactivations.stop(seat.slot);
    this.#seats.vacate(seat);
  }

  /** For how many milliseconds it has been at one and the same turn, or whatever else keeps it from answering. */
  standstill(): number {
    if (this.#gone || !this.#ready) return 0;
    this.#standstill ??= new Standstill({
      clock: this.#options.clock,
      progress: this.#progress,
      ping: () => this.#link.call('hello' satisfies ThreadMethod),
      seen: () => this.#watchdog.ms,
    });
    return this.#standstill.look();
  }

  /** An instance that has not started there is not to start any more. */
  giveUp(seat: Seat): void {
    if (this.#gone || !this.#seats.isTaken(seat)) return;
    this.#deactivations.stop(seat.slot).catch(() => {});
  }

  #call(method: ThreadMethod, ...args: readonly unknown[]): Promise<unknown> {
    if (this.#ready) this.#watchdog.watch();
    return this.#link.call(method, ...args);
  }

  /**
   * A call with what a user gave. What cannot be cloned is refused at once, by `refused`; what comes back is of the
   * agent, also when that could not clone something of its own.
   */
  #callWithCare(
    method: ThreadMethod,
    args: readonly unknown[],
    refused: (error: unknown) => unknown,
  ): Promise<unknown> {
    try {
      return this.#call(method, ...args);
    } catch (error) {
      throw refused(error);
    }
  }

  /** Batches are numbered: a thread refuses what comes after one that was lost. */
  #deliver(batch: Batch, transfer: readonly unknown[] = []): Promise<unknown> {
    this.#watchdog.watch();
    const answer = this.#link.callWith(transfer, 'deliver' satisfies ThreadMethod, batch, this.#delivered);
    this.#delivered += 1;
    answer.catch((error: unknown) => this.#refused(error));
    return answer;
  }

  /** Whoever does not take a batch is of no use. What it has not handled is handled by the next incarnations. */
  #refused(cause: unknown): void {
    if (this.#gone || this.#failure !== undefined) return;
    this.#fail('error', batchRefused(this.name, cause));
  }

  async #begin(): Promise<void> {
    const { runs = [] } = this.#options;
    try {
      for (const { moduleUrl, exportName, name } of runs) {
        await this.#link.call('load' satisfies ThreadMethod, moduleUrl, exportName, name);
      }
    } catch (error) {
      if (!this.#gone) this.#fail('error', cannotRun(this.name, error));
      return;
    }
    this.#started();
  }

  #started(): void {
    this.#ready = true;
    this.#vitals.begin();
    this.#watchdog.watch();
    this.#watchHeap();
    this.#options.tell({ type: 'worker.ready' });
    const queue = this.#queue;
    this.#queue = [];
    for (const seat of queue) void this.#activate(seat);
  }

  async #activate(seat: Seat): Promise<void> {
    const { instance } = seat;
    if (!instance.awaits(seat)) return;
    const { clock, pool } = this.#options;
    try {
      this.#seats.take(seat);
    } catch (error) {
      return instance.startFailed(error);
    }
    try {
      const { inspection } = this.#options;
      const inspected = inspection?.wants(instance.agent) === true;
      const request = instance.activation(seat);
      const activated = this.#callWithCare(
        'activate',
        [inspected ? { ...request, inspected } : request],
        (error) => unclonableStart(request, error),
      );
      await within(
        clock,
        pool.startTimeoutMs,
        activated,
        () => new NotStarted(instanceNotStarted(instance.address, pool.startTimeoutMs), activated),
      );
    } catch (error) {
      if (error instanceof NotStarted) {
        if (instance.holds(seat)) instance.startFailed(error.reason, 'init-timeout');
        // Whenever it does start, it must not stay; until then its slot is taken.
        await error.activated.then(() => this.deactivate(seat)).catch(() => this.#seats.vacate(seat));
        return;
      }
      if (!this.#seats.isTaken(seat)) return;
      this.#seats.vacate(seat);
      if (!instance.holds(seat)) return;
      instance.startFailed(error);
      return;
    }
    if (!this.#seats.isTaken(seat)) return;
    if (instance.over || !instance.holds(seat)) {
      // It was stopped while it started, or ended with its group.
      await this.deactivate(seat).catch(() => {});
      return;
    }
    seat.attachment = this.outbox.attach(instance.mailbox, seat.slot);
    instance.running();
    if (this.#movingOut !== undefined) this.#sendOff(seat);
  }

  // --- as a peer of other threads -------------------------------------------------------------------------

  join(peer: number, port: MessagePort): void {
    this.#link.callWith([port], 'join', peer, port).catch(() => {});
  }

  async admit(admission: Admission): Promise<boolean> {
    return (await this.#call('admit', admission)) === true;
  }

  async dismiss(link: number, wait: boolean): Promise<void> {
    await this.#call('dismiss', link, wait);
  }

  sever(severance: Severance): void {
    this.#call('severed', severance).catch(() => {});
  }

  takeSlot(): { slot: number; base: number } {
    return this.#seats.takeSlot();
  }

  freeSlot(slot: number): void {
    this.#seats.freeSlot(slot);
  }

  counted(slot: number): number {
    return this.#progress.handled(slot);
  }

  async #useSecret(
    slot: number,
    incarnation: number,
    use: SecretUseName,
    input: unknown,
    n: number,
    trace: unknown,
  ): Promise<unknown> {
    const { pool, useSecret } = this.#options;
    const seat = this.#seats.at(slot);
    const here = seat !== undefined && seat.instance.holds(seat) ? seat.instance : undefined;
    // Who is not here, or not any more, has no grants.
    const caller = { address: here?.address ?? '', incarnation, pool: pool.threadId };
    withoutShared(input, pool, 'MESSAGE_UNCLONABLE', `what ${caller.address} gave to be used with a secret`);
    const ending = new AbortController();
    this.#uses.set(n, ending);
    try {
      const headers = isHeaders(trace) ? trace : undefined;
      const result = await useSecret(caller, use, input, ending.signal, headers);
      return withoutShared(result, pool, 'REPLY_UNCLONABLE', `what ${caller.address} is given`);
    } finally {
      this.#uses.delete(n);
    }
  }

  #watchHeap(): void {
    const { clock, pool, warn, recycle } = this.#options;
    const { heapBudgetMb: budgetMb } = pool;
    if (budgetMb === undefined || this.#worker.heapUsed === undefined) return;
    this.#heapBudget = new HeapBudget({
      clock,
      budget: budgetMb * MB,
      used: async () => this.#worker.heapUsed?.(),
      exceeded: (used) => {
        const fields = { thread: this.name, usedMb: Math.round(used / MB), budgetMb };
        warn(fields, 'a thread keeps more on its heap than its budget, and is replaced; its instances move');
        recycle(this.n);
      },
    });
  }

  /** Whether a debugger may hold it. Where nobody can know that, it may. */
  #isDebugged(): boolean {
    const isAttached = debuggerAttached();
    if (isAttached === undefined && !this.#undecided) {
      this.#undecided = true;
      const message =
        'a thread makes no progress, and is not ended: the inspector of the process is open, and this system does not tell ' +
        'whether a debugger is attached; start the program without --inspect';
      this.#options.warn({ thread: this.name }, message);
    }
    return isAttached !== false;
  }

  /** What the thread does right now, as far as the host can know it. */
  #doing(slot: number): { readonly what: string; readonly fields: object } {
    const stopping = this.#deactivations.stopping(slot);
    const seat = stopping === undefined ? this.#seats.countedBy(slot) : this.#seats.at(stopping);
    if (seat === undefined)
      return { what: 'something outside of any turn, such as a timer or an import', fields: {} };
    const { instance, attachment } = seat;
    const { address, agent } = instance;
    if (stopping !== undefined)
      return { what: `the cleanup of ${address}`, fields: { agent: agent.name, address, stopping: true } };
    const behind = this.#seats.handled(seat) - (attachment?.acked ?? 0);
    const type = slot === seat.slot ? typeOf(instance.mailbox.peek(behind)) : undefined;
    const event = type === undefined ? 'an event of another agent' : `"${type}"`;
    return { what: `${event} for ${address}`, fields: { agent: agent.name, address, type } };
  }

  #hung(slot: number, ms: number): void {
    this.#fail('hang', threadHung(this.name, ms, this.#doing(slot).what));
  }

  #failed(thrown: unknown): void {
    // What it has told of that itself says more: of a DOMException for example Node keeps nothing.
    if (!this.#gone) this.#link.drain();
    const { cause, error } = threadFailed(this.name, thrown, this.#uncaught);
    this.#fail(cause, error);
  }

  /** Something that the thread said was left out. Each is counted, and told as often as says something new. */
  #violated(what: string, fields: object = {}): void {
    const violations = (this.#violations += 1);
    if (violations > TOLD_VIOLATIONS && Math.log2(violations) % 1 !== 0) return;
    this.#options.warn({ thread: this.name, ...fields, violations }, `refused ${what} from a thread`);
  }

  /** A call that is none. */
  #refuse(method: HostMethod): never {
    this.#violated(`a malformed call (${method})`);
    throw new TypeError(`this is not a call of ${method}()`);
  }

  /** How far the thread is, or one who runs there, cannot be known any more. The next incarnations go on by their policies. */
  #broke(what: string, fields?: object): HoldfastError {
    this.#violated(what, fields);
    const error = threadUnreadable(this.name, what);
    if (!this.#gone && this.#failure === undefined) this.#fail('error', error);
    return error;
  }

  /** What was in it nobody knows: acks, answers and ends of any instance here, or what any of them was sent. */
  #lostFrame(error: HoldfastError): void {
    if (!this.#gone && this.#failure === undefined) this.#fail('error', error);
  }

  #fail(cause: 'error' | 'oom' | 'hang', error: HoldfastError): void {
    this.#failure = error;
    this.#cause = cause;
    this.#options.tell({ type: 'worker.failed', cause, error });
  }

  #exited(code: number): void {
    const exited = (): void => this.#options.tell({ type: 'worker.exit', code });
    if (this.#gone) return exited();
    // What it had told before is known before its end is.
    this.#link.drain();
    const lose = (): void => this.#lose(this.#failure ?? threadExited(this.name, code), exited);
    // An instance whose state has come has left; whoever waits for the state goes on in a microtask.
    if (this.#departures.size > 0) queueMicrotask(lose);
    else lose();
  }

  /** It was ended and is still alive, held by a call into the operating system. Its code does not run any more. */
  abandon(): void {
    if (this.#gone) return;
    const message =
      'a thread that was ended does not end: a call into the operating system holds it; its place stays taken';
    this.#options.warn({ thread: this.name, cause: this.#cause }, message);
    this.#lose(this.#failure ?? threadAbandoned(this.name), () => {});
  }

  /** `told`: the pool knows that the thread is no more. */
  #lose(reason: Error, told: () => void): void {
    const why = reasonOf(this.#cause);
    this.#watchdog.end();
    this.#heapBudget?.end();
    this.#gone = true;
    this.outbox.close();
    this.#link.close(reason);
    const inHand = this.#progress.inHand();
    const evidence: Evidence = { cause: why, thread: this.name, error: reason };
    const seats = this.#seats.all();
    const queued = this.#queue;
    this.#queue = [];
    for (const seat of seats) this.#seats.vacate(seat, { reason, inHand, evidence });
    this.#options.broker.gone(this);
    // First the room is free again for the pool, then the instances may ask for it.
    told();
    for (const seat of seats) {
      const { instance, attachment } = seat;
      if (!instance.holds(seat)) continue;
      if (attachment === undefined) instance.startFailed(reason, why);
      else instance.failed(reason, why);
    }
    for (const seat of queued) if (seat.instance.awaits(seat)) seat.instance.unplaced(reason, why);
  }
}

function isDepartedOrNone(answer: unknown): answer is Departed | undefined {
  return answer === undefined || isDeparted(answer);
}

/** An agent that is still starting when its time is up. */
class NotStarted extends Error {
  readonly reason: HoldfastError;
  readonly activated: Promise<unknown>;

  constructor(reason: HoldfastError, activated: Promise<unknown>) {
    super(reason.message);
    this.reason = reason;
    this.activated = activated;
  }
}
