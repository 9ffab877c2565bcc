import type { ThreadCause, ThreadEvent } from '../../actors/thread.ts';
import { Activation } from './activation.ts';
import { AskOutcomes } from './ask-outcomes.ts';
import { debuggerAttached } from './attached.ts';
import type { Clock } from '../base/clock.ts';
import type { StopReason } from '../base/endings.ts';
import type { Evidence } from '../dead-letters/dead-letters.ts';
import type { ResolvedAgent, ResolvedPool } from '../config/resolve.ts';
import type { HoldfastError } from '../base/errors.ts';
import { HeapBudget } from './heap-budget.ts';
import { HeldOutputs } from './held-outputs.ts';
import { heeding } from './heeded-reports.ts';
import { holding } from './holding-reports.ts';
import { keepingSteps } from './keep-step.ts';
import { hostApi } from './host-api.ts';
import type { Question } from '../instance/berth.ts';
import type { Tenant } from './tenant.ts';
import type { Logger } from '../base/logger.ts';
import type { Batch } from '../mailbox/batch.ts';
import { Outbox, type SentBatch } from '../mailbox/outbox.ts';
import type { Tag } from '../mailbox/tag.ts';
import { transferablesOf } from '../mailbox/transfer.ts';
import type { Waiting } from '../mailbox/waiting.ts';
import { Deactivations } from './deactivations.ts';
import { doing } from './doing.ts';
import { MoveOut } from './move-out.ts';
import { cpuProfile } from './cpu-profile.ts';
import { startWorker, type OsThread, type PrintTo, type StartThread } from './os-thread.ts';
import type { PeerBroker } from './peer-broker.ts';
import { askInstance } from './questions.ts';
import { unclonableAdvice } from '../dead-letters/refusal.ts';
import { Seat, type SeatThread } from './seat.ts';
import { Seats } from './seats.ts';
import { SecretStreams, type OpenStream } from './secret-streams.ts';
import { SecretUses, type UseSecret } from './secret-uses.ts';
import { ToolCalls, type CallTool } from './tool-calls.ts';
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
import type { Visit } from './visit.ts';
import { Watchdog } from './watchdog.ts';
import { reasonOf } from '../instance/watchers.ts';
import { isClonable } from '../wire/errors.ts';
import { openLink, type Link } from '../wire/link.ts';
import { createProgress } from '../wire/progress.ts';
import { LISTS, type HostMethod, type LetterReport, type ThreadMethod } from '../wire/protocol.ts';

export interface ThreadHostOptions {
  readonly pool: ResolvedPool;
  readonly n: number;
  readonly name: string;
  /** The modules of the agents that may run on the thread. */
  readonly moduleUrls: readonly string[];
  /** The agents that the thread must be able to load, or it fails. Default: none. */
  readonly runs?: readonly ResolvedAgent[] | undefined;
  readonly clock: Clock;
  /** Default: a worker thread of Node. */
  readonly startThread?: StartThread | undefined;
  /** Schedules the delivery of a first batch. Default: at the end of the turn that sends it. */
  readonly soon?: ((run: () => void) => void) | undefined;
  /** Takes the values of secrets out of a text. */
  readonly scrubText: (text: string) => string;
  /** Whether the output of its agents goes to the logger, line by line. Default: false, to the output of the process. */
  readonly logsPrinted?: boolean | undefined;
  readonly waiting: Waiting;
  readonly instanceAt: (address: string) => Tenant | undefined;
  /** Takes the visit that waits for a place under an address. */
  readonly visitAt: (address: string) => Visit | undefined;
  /** Asks the pool to replace a thread, if its instances can move soon. */
  readonly recycle: (n: number) => void;
  /** Gives the pool back the room of an instance on the thread. */
  readonly release: (n: number) => void;
  /** Tells the thread's actor what has happened to the worker thread. */
  readonly tell: (event: ThreadEvent) => void;
  /** Uses a secret on behalf of an instance. */
  readonly useSecret: UseSecret;
  /** Calls a tool on behalf of an instance. */
  readonly callTool: CallTool;
  /** Sends a request with a secret on behalf of an instance, whose answer streams. */
  readonly openStream: OpenStream;
  readonly warn: (fields: object, message: string) => void;
  /** The host's log. */
  readonly logger: Logger;
  /** Observes what was handled; absent when nobody listens. */
  readonly messages?: Pick<MessageObserver, 'handled'> | undefined;
  /** Gets the inspection events. Default: nothing is inspected. */
  readonly inspection?: ThreadInspection | undefined;
  /** Opens the links between agents. */
  readonly broker: PeerBroker;
  /** Whether the store under every turn fails or does not answer. */
  readonly storeFailing?: (() => boolean) | undefined;
  /** Whether instances of the thread may be durable: what it lets out waits for the commits it rests on. */
  readonly durable?: boolean | undefined;
  /** Takes the dead letter of an event that one agent sent another. */
  readonly letter: (letter: LetterReport) => void;
}

const BUSY =
  'what a thread does outside of turns, in a timer or while it loads a module, takes long, and its instances wait';
const MB = 1024 * 1024;
/** The number of a thread's violations that are warned about one by one; from there on, each time it has doubled. */
const TOLD_VIOLATIONS = 10;

const SLOW =
  'a turn takes long, and the other instances of its thread wait; do such work in steps or elsewhere';

/** The host's side of one worker thread: starts it, talks to it, and knows which envelope was in hand when it died. */
export class ThreadHost implements SeatThread {
  readonly n: number;
  readonly name: string;
  readonly #options: ThreadHostOptions;
  readonly #progress = createProgress();
  readonly #seats: Seats;
  readonly #worker: OsThread;
  readonly #link: Link;
  readonly outbox: Outbox;
  /** Resolves when the operating system has let go of the thread. */
  readonly exited: Promise<void>;
  #ready = false;
  #gone = false;
  #delivered = 0;
  #violations = 0;
  #uncaught: { readonly thrown: unknown } | undefined;
  /** Whether the warning was given that nobody can know whether a debugger is attached. */
  #undecided = false;
  #failure: Error | undefined;
  #cause: ThreadCause = 'exit';
  readonly #watchdog: Watchdog;
  readonly #deactivations: Deactivations;
  readonly #calls: ThreadCalls;
  readonly #activation: Activation;
  readonly #moveOut: MoveOut;
  readonly #secretUses: SecretUses;
  /** The thread as the broker knows it. */
  readonly peer: ThreadPeer;
  #standstill: Standstill | undefined;
  #heapBudget: HeapBudget | undefined;
  readonly #vitals: VitalSigns;
  readonly #held: HeldOutputs | undefined;

  constructor(options: ThreadHostOptions) {
    const { pool, waiting } = options;
    this.#options = options;
    this.n = options.n;
    this.name = options.name;
    const held = options.durable === true ? new HeldOutputs() : undefined;
    this.#held = held;
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
      outcomes: new AskOutcomes({
        pool,
        tell: (outcomes) => this.#link.tell([], 'outcomes' satisfies ThreadMethod, outcomes),
      }),
      violated: (what, fields) => this.#violated(what, fields),
      lost: (what, fields) => void this.#broke(what, fields),
      unfit: (seat, error) => this.#unfit(seat, error),
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
    const secretStreams = new SecretStreams({
      tell: (chunks, moving) => this.#link.tell(moving, 'chunks' satisfies ThreadMethod, chunks),
    });
    this.#secretUses = new SecretUses({
      ...options,
      seats: this.#seats,
      streams: secretStreams,
      tellUsed: (answers, moving) => this.#link.tell(moving, 'used' satisfies ThreadMethod, answers),
    });
    this.#link = openLink(this.#worker.port, {
      expose: hostApi({
        ...options,
        threadId,
        peer: () => this.peer,
        reports: heeding(
          held === undefined
            ? reports
            : holding({ reports, held, failing: options.storeFailing ?? (() => false) }),
          (heard) => this.#link.tell([], 'heard' satisfies ThreadMethod, heard),
        ),
        secretUses: this.#secretUses,
        secretStreams,
        toolCalls: new ToolCalls({ pool, seats: this.#seats, callTool: options.callTool }),
        acknowledge: (ack) => this.#hold(() => this.outbox.acknowledge(ack)),
        committed: (slots) => this.#committed(slots),
        keepStep: keepingSteps(this.#seats),
        unread: () => this.#lostFrame(unreadByThread(name)),
        violated: (what) => this.#violated(what),
      }),
      lists: LISTS,
      mailbox: ['report', 'acknowledge', 'secret', 'tool', 'upload', 'step'],
      told: ['credit', 'report', 'acknowledge', 'uses'] satisfies HostMethod[],
      transferablesOf: (result) => transferablesOf([result]),
      onViolation: (what) => this.#violated(what),
      onLost: () => this.#lostFrame(threadUnread(name)),
      // A thread without a link is of no use; its exit gives those who wait the reason.
      onClose: () => this.#worker.terminate(),
    });
    this.#calls = new ThreadCalls({
      link: this.#link,
      called: () => {
        if (this.#ready) this.#watchdog.watch();
      },
      broke: (what) => this.#broke(what),
      held,
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
      deliver: (batch, transfer, sent) => this.#deliver(batch, transfer, sent),
      lost: (reason) => this.#refused(reason),
      delivered: (tag) => waiting.resolve(tag),
      expired: ({ slot }, event, tag) =>
        this.#seats.at(slot)?.instance.inbox.unhandled.refuse(event, tag, 'expired'),
      answered: (ack) => takeAnswers(ack, { waiting, pool, seats: this.#seats }),
      malformed: () => void this.#broke('a malformed acknowledgement'),
      now: () => options.clock.now(),
      held: held && ((settle) => held.let(settle)),
      ...(options.soon && { soon: options.soon }),
      isClonable,
      unclonable: ({ slot }, event, tag) =>
        this.#seats
          .at(slot)
          ?.instance.inbox.unhandled.refuse(event, tag, 'unclonable', undefined, unclonableAdvice(event)),
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
      // The worker's own error and exit report the failure.
      () => {},
    );
  }

  /** Node's id of the worker thread; -1 when the thread is gone. */
  get thread(): number {
    return this.#worker.threadId;
  }

  get pool(): string {
    return this.#options.pool.threadId;
  }

  get instances(): number {
    return this.#seats.size;
  }

  /** The utilization and the heap of the thread, as of the last reading. */
  /** A CPU profile of the next so many milliseconds. */
  profile(ms: number): Promise<object> {
    const { clock } = this.#options;
    return cpuProfile(this.#worker, { name: this.name, ms, clock });
  }

  get vitals(): ThreadVitals {
    return this.#vitals.look();
  }

  /** What has kept the thread longer than `watchdog.warnMs` so far, if anything has. */
  get slow(): { readonly ms: number; readonly address?: string } | undefined {
    const { warnMs } = this.#options.pool.watchdog;
    const { ms } = this.#watchdog;
    if (this.#gone || warnMs === 0 || ms < warnMs) return undefined;
    const { address } = doing(this.#progress.inHand(), this.#seats, this.#deactivations);
    return { ms, ...(address !== undefined && { address }) };
  }

  /** The number of turns that have begun on the thread, modulo 2^32. */
  get turns(): number {
    return this.#progress.turns();
  }

  /** Resolves with whether everything was handled that came to the thread and that was sent from it. */
  async quiet(): Promise<boolean> {
    if (this.#gone || !this.#ready) return true;
    return this.#calls.call('quiet').then(
      (quiet) => quiet === true,
      () => this.#gone,
    );
  }

  /** The instances that run or start on the thread. */
  occupants(): Tenant[] {
    return this.#seats.all().map(({ instance }) => instance);
  }

  /** Whether the instance was stopped because the thread was to end. */
  hasWoundDown(instance: Tenant): boolean {
    return this.#moveOut.hasWoundDown(instance);
  }

  /** Whether the thread has started. */
  get ready(): boolean {
    return this.#ready;
  }

  /** Whether the host hears nothing more of the thread. */
  get gone(): boolean {
    return this.#gone;
  }

  /** Gives the pool back the room of an instance. */
  release(): void {
    this.#options.release(this.n);
  }

  /** Starts the instance here as soon as the thread is up. */
  host(address: string): void {
    const instance = this.#options.instanceAt(address);
    if (instance === undefined) return void this.#visited(this.#options.visitAt(address));
    const seat = new Seat(this, instance);
    if (!instance.placed(seat)) return this.release();
    this.#activation.add(seat);
  }

  /** Answers a visit, or gives back the place of nobody. */
  async #visited(visit: Visit | undefined): Promise<void> {
    try {
      if (visit !== undefined) visit.answered(await this.#calls.answer(visit.method, visit.fits, visit.args));
    } catch (error) {
      visit?.failed(error);
    } finally {
      // A thread that is gone has given back all its room at once.
      if (!this.#gone) this.release();
    }
  }

  /** Moves all instances away as soon as they can. `hold`: one that cannot yet move handles no further event until it can. */
  moveOut(hold: boolean): void {
    this.#moveOut.begin(hold);
  }

  /** Moves the instances that can move at once; the others get no more time. */
  hurry(): Promise<void> {
    return this.#moveOut.hurry();
  }

  /** Stops the instances that have not moved, which restart elsewhere, because the thread is to end. */
  windDown(): Promise<void> {
    return this.#moveOut.windDown();
  }

  /** Keeps the instances that have not moved. */
  stay(): void {
    this.#moveOut.stay();
  }

  /** The error with which the thread ended. */
  failure(code: number): Error {
    return this.#failure ?? threadExited(this.name, code);
  }

  /** The cause for which the thread has ended, or is about to end. */
  get cause(): ThreadCause {
    return this.#cause;
  }

  /** Ends the thread with everything that still runs on it. */
  end(cause: ThreadCause): void {
    this.#cause = cause;
    if (cause === 'init-timeout') {
      this.#failure ??= threadNotStarted(this.name, this.#options.pool.startTimeoutMs);
    } else if (cause === 'shutdown' || cause === 'recycled') {
      this.#failure ??= threadEnded(this.name, cause);
    }
    // Nobody waits for these any more, and a thread may take long to end: their connections close now.
    this.#secretUses.close(this.failure(1));
    this.#worker.terminate();
  }

  /** Opens or closes the mirror of an instance. */
  watch(seat: Seat, watched: boolean): void {
    this.#calls.call('watch', seat.slot, watched).catch(() => {});
  }

  /** Lets the writer of an ask send more chunks; `taken` below 0: nobody reads any more. */
  credit(tag: Tag, taken: number): void {
    if (!this.#gone) this.#calls.call('credit', tag, taken).catch(() => {});
  }

  ask(seat: Seat, question: Question, args: readonly unknown[]): Promise<unknown> {
    return askInstance(seat, question, args, { pool: this.#options.pool, calls: this.#calls });
  }

  /** Stops the instance in its thread, which then reports nothing more of it. */
  async deactivate(seat: Seat): Promise<void> {
    await this.#deactivations.stop(seat.slot);
    this.#seats.vacate(seat);
  }

  /** Ends an instance here that has nothing to do, once its last state is committed; resolves with whether it has left. */
  async rest(seat: Seat): Promise<boolean> {
    if (!seat.begun || !this.#seats.isTaken(seat)) return false;
    const left = await this.#calls.answer('passivate', isBoolean, [seat.slot]);
    if (!left || !this.#seats.isTaken(seat)) return false;
    this.#seats.vacate(seat);
    if (!seat.instance.holds(seat)) return false;
    seat.instance.rested();
    return true;
  }

  /** Ends an instance here whose state cannot be committed; what it has handled since the last state is not handled. */
  #unfit(seat: Seat, error: HoldfastError): void {
    const { instance } = seat;
    if (!instance.holds(seat)) return;
    this.#seats.vacate(seat, {
      ending: error,
      failed: 'between',
      until: this.#deactivations.stop(seat.slot),
    });
    instance.unfit(error);
  }

  /** Milliseconds for which one and the same turn, or something else, has kept the thread from answering. */
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

  /** Stops an instance that has not started there yet. */
  giveUp(seat: Seat): void {
    if (this.#gone || !this.#seats.isTaken(seat)) return;
    this.#deactivations.stop(seat.slot).catch(() => {});
  }

  /** Delivers a batch with its number: a thread refuses the batches after one that was lost. */
  #deliver(batch: Batch, transfer: readonly unknown[], sent: SentBatch): void {
    this.#watchdog.watch();
    this.#link.callThen(transfer, sent, 'deliver' satisfies ThreadMethod, batch, this.#delivered);
    this.#delivered += 1;
  }

  /** Fails a thread that refuses a batch; the next incarnations handle what it has not handled. */
  #refused(cause: unknown): void {
    if (this.#gone || this.#failure !== undefined) return;
    this.#fail('error', batchRefused(this.name, cause));
  }

  async #begin(): Promise<void> {
    const { runs = [] } = this.#options;
    try {
      for (const agent of runs) {
        const { moduleUrl, exportName, name } = agent;
        await this.#link.call('load' satisfies ThreadMethod, moduleUrl, exportName, name);
        this.#activation.loaded(agent);
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

  /** Does something when everything that the thread has let out before is let out. */
  #hold(run: () => void): void {
    if (this.#held === undefined) run();
    else this.#held.let(run);
  }

  /** Resolves with those of the slots whose instances are fenced, when everything that the thread has told is committed. */
  #committed(slots: readonly number[]): Promise<readonly number[]> {
    const isFenced = (slot: number): boolean => this.#seats.at(slot)?.instance.continuation.isFenced === true;
    return new Promise((resolve) => this.#hold(() => resolve(slots.filter(isFenced))));
  }

  /** The thread has started the instance, which gets what waits in its mailbox, and moves at once when all are to move. */
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

  /** Whether a debugger may hold the thread; `true` where nobody can know. */
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
    // The thread's own report of the error says more: Node keeps nothing of a DOMException, for example.
    if (!this.#gone) this.#link.drain();
    const { cause, error } = threadFailed(this.name, thrown, this.#uncaught);
    this.#fail(cause, error);
  }

  /** Counts something that was left out of what the thread said, and warns of it, more rarely as the number grows. */
  #violated(what: string, fields: object = {}): void {
    const violations = (this.#violations += 1);
    if (violations > TOLD_VIOLATIONS && Math.log2(violations) % 1 !== 0) return;
    this.#options.warn({ thread: this.name, ...fields, violations }, `refused ${what} from a thread`);
  }

  /** Fails a thread whose progress, or that of an instance, is no longer known; the instances restart by their policies. */
  #broke(what: string, fields?: object): HoldfastError {
    this.#violated(what, fields);
    const error = threadUnreadable(this.name, what);
    if (!this.#gone && this.#failure === undefined) this.#fail('error', error);
    return error;
  }

  /** Fails the thread: the lost frame may have held acks, answers or ends of any instance, or events for any of them. */
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
    // Reports from before the end must be handled before the end itself.
    this.#link.drain();
    const lose = (): void =>
      this.#hold(() => this.#lose(this.#failure ?? threadExited(this.name, code), exited));
    // An instance whose state has come has left; the code that awaits the state continues in a microtask.
    if (this.#moveOut.underWay) queueMicrotask(lose);
    else lose();
  }

  /** Gives up a thread that was ended and that a call into the operating system keeps alive; its code runs no more. */
  abandon(): void {
    if (this.#gone) return;
    const message =
      'a thread that was ended does not end: a call into the operating system holds it; its place stays taken';
    this.#options.warn({ thread: this.name, cause: this.#cause }, message);
    this.#lose(this.#failure ?? threadAbandoned(this.name), () => {});
  }

  /**
   * The host hears nothing more of the thread. Each step relies on those before it; `told` tells the pool that the thread
   * is gone.
   */
  #lose(reason: Error, told: () => void): void {
    const why = reasonOf(this.#cause);
    const waiting = this.#close(reason);
    const left = this.#vacateAll(reason, why);
    this.#options.broker.gone(this.peer);
    // The pool must know that the room is free before the instances ask for it.
    told();
    this.#tellInstances(left, waiting, reason, why);
  }

  /** Ends the watch of the thread and the link to it. Returns the seats of the instances that waited for it to start. */
  #close(reason: Error): Seat[] {
    this.#watchdog.end();
    this.#heapBudget?.end();
    this.#gone = true;
    this.outbox.close();
    this.#link.close(reason);
    this.#secretUses.close(reason);
    return this.#activation.close();
  }

  /** Vacates all seats: acknowledges what the thread had handled, and makes dead letters of suspects. */
  #vacateAll(reason: Error, why: StopReason): Seat[] {
    const inHand = this.#progress.inHand();
    const evidence: Evidence = { cause: why, thread: this.name, error: reason };
    const seats = this.#seats.all();
    for (const seat of seats) this.#seats.vacate(seat, { reason, inHand, evidence });
    this.#seats.answersLost(reason);
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

function isBoolean(answer: unknown): answer is boolean {
  return typeof answer === 'boolean';
}
