import type { ThreadCause, ThreadEvent } from '../../actors/thread.ts';
import { Activation } from './activation.ts';
import { debuggerAttached } from './attached.ts';
import type { Clock } from '../base/clock.ts';
import type { StopReason } from '../base/endings.ts';
import type { Evidence } from '../dead-letters/dead-letters.ts';
import type { ResolvedAgent, ResolvedPool } from '../config/resolve.ts';
import type { HoldfastError } from '../base/errors.ts';
import { HeapBudget } from './heap-budget.ts';
import { hostApi } from './host-api.ts';
import type { Question } from '../instance/berth.ts';
import type { Tenant } from './tenant.ts';
import type { Logger } from '../base/logger.ts';
import type { Batch } from '../mailbox/batch.ts';
import { Outbox } from '../mailbox/outbox.ts';
import { transferablesOf } from '../mailbox/transfer.ts';
import type { Waiting } from '../mailbox/waiting.ts';
import { Deactivations } from './deactivations.ts';
import { doing } from './doing.ts';
import { MoveOut } from './move-out.ts';
import { startWorker, type OsThread, type PrintTo, type StartThread } from './os-thread.ts';
import type { PeerBroker } from './peer-broker.ts';
import { askInstance } from './questions.ts';
import { unclonableAdvice } from '../dead-letters/refusal.ts';
import { Seat, type SeatThread } from './seat.ts';
import { Seats } from './seats.ts';
import { SecretUses, type UseSecret } from './secret-uses.ts';
import { Standstill } from './standstill.ts';
import { takeAnswers } from './thread-answers.ts';
import {
  batchRefused,
  cannotRun,
  threadAbandoned,
  threadEnded,
  threadExited,
  threadFailed,
  threadHung,
  threadNotStarted,
  threadUnread,
  threadUnreadable,
  unreadByThread,
} from './thread-errors.ts';
import type { MessageObserver } from '../mailbox/message-observer.ts';
import type { ThreadInspection } from './thread-inspection.ts';
import { ThreadCalls } from './thread-calls.ts';
import { ThreadPeer } from './thread-peer.ts';
import { ThreadReports } from './thread-reports.ts';
import { VitalSigns, type ThreadVitals } from './vital-signs.ts';
import { Watchdog } from './watchdog.ts';
import { reasonOf } from '../instance/watchers.ts';
import { isClonable } from '../wire/errors.ts';
import { openLink, type Link } from '../wire/link.ts';
import { createProgress } from '../wire/progress.ts';
import { LISTS, type LetterReport, type ThreadMethod } from '../wire/protocol.ts';

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
  readonly useSecret: UseSecret;
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
  #gone = false;
  #delivered = 0;
  #violations = 0;
  #uncaught: { readonly thrown: unknown } | undefined;
  /** Told that nobody knows whether a debugger is attached. */
  #undecided = false;
  #failure: Error | undefined;
  #cause: ThreadCause = 'exit';
  readonly #watchdog: Watchdog;
  readonly #deactivations: Deactivations;
  readonly #calls: ThreadCalls;
  readonly #activation: Activation;
  readonly #moveOut: MoveOut;
  /** The thread, as the broker knows it. */
  readonly peer: ThreadPeer;
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
      call: (slots, counted) => this.#calls.call('deactivate', slots, counted),
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
      expose: hostApi({
        ...options,
        threadId,
        peer: () => this.peer,
        reports,
        secretUses: new SecretUses({ pool, seats: this.#seats, useSecret: options.useSecret }),
        acknowledge: (ack) => this.outbox.acknowledge(ack),
        unread: () => this.#lostFrame(unreadByThread(name)),
        violated: (what) => this.#violated(what),
      }),
      lists: LISTS,
      mailbox: ['report', 'acknowledge', 'secret'],
      transferablesOf: (result) => transferablesOf([result]),
      onViolation: (what) => this.#violated(what),
      onLost: () => this.#lostFrame(threadUnread(name)),
      // A thread that cannot be spoken to is of no use; its exit says why to those who wait.
      onClose: () => this.#worker.terminate(),
    });
    this.#calls = new ThreadCalls({
      link: this.#link,
      called: () => {
        if (this.#ready) this.#watchdog.watch();
      },
      broke: (what) => this.#broke(what),
    });
    const parts = {
      ...options,
      seats: this.#seats,
      calls: this.#calls,
      link: this.#link,
      deactivations: this.#deactivations,
      gone: () => this.#gone,
    };
    this.peer = new ThreadPeer({ ...parts, pool: pool.threadId });
    this.#moveOut = new MoveOut(parts);
    this.#activation = new Activation({
      ...parts,
      deactivate: (seat) => this.deactivate(seat),
      begun: (seat) => this.#begun(seat),
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
        options.warn(
          { thread: this.name, ms, ...doing(slot, this.#seats, this.#deactivations).fields },
          slot === -1 ? BUSY : SLOW,
        ),
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
    return this.#calls.call('quiet').then(
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
    return this.#moveOut.hasWoundDown(instance);
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
    this.#activation.add(seat);
  }

  /** Has all instances go elsewhere, as soon as they can. `hold`: who cannot yet handles no further event until then. */
  moveOut(hold: boolean): void {
    this.#moveOut.begin(hold);
  }

  /** Those that can go do so at once; the thread is of no more use to the others. */
  hurry(): Promise<void> {
    return this.#moveOut.hurry();
  }

  /** Stops those that have not gone: they begin anew elsewhere. The thread is to end. */
  windDown(): Promise<void> {
    return this.#moveOut.windDown();
  }

  /** Those that have not gone stay. */
  stay(): void {
    this.#moveOut.stay();
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
    this.#calls.call('watch', seat.slot, watched).catch(() => {});
  }

  ask(seat: Seat, question: Question, args: readonly unknown[]): Promise<unknown> {
    return askInstance(seat, question, args, { pool: this.#options.pool, calls: this.#calls });
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
    this.#activation.open();
  }

  /** The thread has started an instance: it is sent what waits, runs, and goes at once when all are to go. */
  #begun(seat: Seat): void {
    seat.attachment = this.outbox.attach(seat.instance.mailbox, seat.slot);
    seat.instance.running();
    this.#moveOut.begun(seat);
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

  #hung(slot: number, ms: number): void {
    this.#fail('hang', threadHung(this.name, ms, doing(slot, this.#seats, this.#deactivations).what));
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
    if (this.#moveOut.underWay) queueMicrotask(lose);
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

  /**
   * Nothing is heard of the thread any more. Each step counts on those before it; `told`: the pool knows that the thread
   * is no more.
   */
  #lose(reason: Error, told: () => void): void {
    const why = reasonOf(this.#cause);
    const waiting = this.#close(reason);
    const left = this.#vacateAll(reason, why);
    this.#options.broker.gone(this.peer);
    // First the room is free again for the pool, then the instances may ask for it.
    told();
    this.#tellInstances(left, waiting, reason, why);
  }

  /** Nobody looks after the thread or speaks to it. Returns the seats of those that have waited for it. */
  #close(reason: Error): Seat[] {
    this.#watchdog.end();
    this.#heapBudget?.end();
    this.#gone = true;
    this.outbox.close();
    this.#link.close(reason);
    return this.#activation.close();
  }

  /** The envelopes of its instances are settled, by what the thread had handled and what it had in hand. */
  #vacateAll(reason: Error, why: StopReason): Seat[] {
    const inHand = this.#progress.inHand();
    const evidence: Evidence = { cause: why, thread: this.name, error: reason };
    const seats = this.#seats.all();
    for (const seat of seats) this.#seats.vacate(seat, { reason, inHand, evidence });
    return seats;
  }

  #tellInstances(left: readonly Seat[], waiting: readonly Seat[], reason: Error, why: StopReason): void {
    for (const seat of left) {
      const { instance } = seat;
      if (!instance.holds(seat)) continue;
      if (seat.begun) instance.failed(reason, why);
      else instance.startFailed(reason, why);
    }
    for (const seat of waiting) if (seat.instance.awaits(seat)) seat.instance.unplaced(reason, why);
  }
}
