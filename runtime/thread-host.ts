import type { ThreadCause, ThreadEvent } from '../actors/thread.ts';
import { url as inspectorUrl } from 'node:inspector';
import type { MessagePort } from 'node:worker_threads';
import { within, type Clock } from './clock.ts';
import { isDeadLetterReason, typeOf, type Evidence } from './dead-letters.ts';
import type { ResolvedPool } from './config/resolve.ts';
import { HoldfastError } from './errors.ts';
import { HeapBudget } from './heap-budget.ts';
import type { Instance } from './instance.ts';
import type { Batch } from './mailbox/batch.ts';
import { Outbox, type Ack, type Attachment } from './mailbox/outbox.ts';
import type { Tag } from './mailbox/mailbox.ts';
import type { Waiting } from './mailbox/waiting.ts';
import { startWorker, type OsThread, type StartThread } from './os-thread.ts';
import type { PeerBroker, PeerLink, PeerThread } from './peer-broker.ts';
import { decodeError, encodeError, isClonable, isDataCloneError, type WireError } from './wire/errors.ts';
import { restoreErrors, wholeAnswer, type ErrorsWithin } from './wire/errors-within.ts';
import { openLink, type Link } from './wire/link.ts';
import { createProgress } from './wire/progress.ts';
import {
  REPORT,
  type Admission,
  type DoneReport,
  type ErrorReport,
  type LetterReport,
  type Severance,
  type StateOf,
  type ThreadMethod,
  type WireEvidence,
} from './wire/protocol.ts';
import type { PersistedState } from './xstate/persisted-timer.ts';
import { toUnshared, withoutSharedMemory, type WireSnapshot } from './wire/snapshot.ts';
import { sharedMemoryAdvice, sharesMemory, withoutShared } from './shared-memory.ts';
import { Watchdog } from './watchdog.ts';
import { reasonOf } from './watchers.ts';

export interface ThreadHostOptions {
  readonly pool: ResolvedPool;
  readonly n: number;
  readonly name: string;
  /** Modules of the agents that may run here. */
  readonly moduleUrls: readonly string[];
  readonly clock: Clock;
  /** Default: a worker thread of Node. */
  readonly startThread?: StartThread | undefined;
  readonly waiting: Waiting;
  readonly instanceAt: (address: string) => Instance | undefined;
  /** Has the pool replace a thread, if its instances can move soon. */
  readonly recycle: (n: number) => void;
  /** Gives a place back to the pool that nobody takes. */
  readonly release: (n: number) => void;
  /** Tells the thread's actor what happened to the worker. */
  readonly tell: (event: ThreadEvent) => void;
  /** An agent asks the host to use a secret on behalf of the instance that was found to ask. */
  readonly capability: (instance: Instance, name: string, input: unknown) => Promise<unknown>;
  readonly warn: (fields: object, message: string) => void;
  /** Opens the ways between agents. */
  readonly broker: PeerBroker;
  /** What one agent sent another came to nothing. */
  readonly letter: (letter: LetterReport) => void;
}

/** An instance's place on a thread. */
export interface Seat {
  readonly slot: number;
  readonly instance: Instance;
  readonly incarnation: number;
  /** What the progress block said of the slot before. */
  readonly base: number;
  /** `undefined` until the instance runs. */
  attachment: Attachment | undefined;
  /** Asks that the instance has handled and will answer later. */
  readonly deferred: Set<Tag>;
  /** How much of what it has handled is in the last state that it told. */
  kept: number;
  /** What other agents send here. */
  readonly links: Set<PeerLink>;
}

const BUSY =
  'what a thread does outside of turns, in a timer or while it loads a module, takes long, and its instances wait';
const MB = 1024 * 1024;
const SLOW =
  'a turn takes long, and the other instances of its thread wait; do such work in steps or elsewhere';

/** How a seat becomes free. */
interface Ending {
  /** The thread is gone: nobody answers any more what it had handled. */
  readonly reason?: Error | undefined;
  /** What those hear whose asks the instance had put off; default: `reason`, or that it has ended. */
  readonly ending?: unknown;
  /** The slot whose envelope was in hand, if one was. */
  readonly inHand?: number;
  /** What that envelope is suspected of. */
  readonly evidence?: Evidence;
  /** The instance itself failed: while it handled an envelope, or in between. */
  readonly failed?: 'in-turn' | 'between' | undefined;
}

/** The host's side of one worker thread: starts it, talks to it, and knows what it had in hand when it died. */
export class ThreadHost implements PeerThread {
  readonly n: number;
  readonly name: string;
  readonly #options: ThreadHostOptions;
  readonly #progress = createProgress();
  readonly #seats = new Map<number, Seat>();
  readonly #free: number[] = [];
  readonly #worker: OsThread;
  readonly #link: Link;
  readonly outbox: Outbox;
  /** Resolves when the operating system has let go of it. */
  readonly exited: Promise<void>;
  #ready = false;
  #queue: Instance[] = [];
  #gone = false;
  #movingOut = false;
  readonly #departures = new Set<Promise<void>>();
  #slots = 0;
  #delivered = 0;
  #failure: Error | undefined;
  #cause: ThreadCause = 'exit';
  readonly #watchdog: Watchdog;
  #heapBudget: HeapBudget | undefined;

  constructor(options: ThreadHostOptions) {
    const { pool, waiting } = options;
    this.#options = options;
    this.n = options.n;
    this.name = options.name;
    const { startThread = startWorker, name, moduleUrls } = options;
    const clockOrigin = Number(process.hrtime.bigint()) / 1e6 - options.clock.now();
    const { threadId, sharedMemory } = pool;
    const data = { progress: this.#progress.buffer, threadId, sharedMemory, clockOrigin };
    this.#worker = startThread({ pool, name, moduleUrls, data });
    this.#worker.on('error', (error) => this.#failed(error));
    this.exited = new Promise((resolve) => {
      this.#worker.on('exit', (code) => {
        this.#exited(code);
        resolve();
      });
    });
    this.#link = openLink(this.#worker.port, {
      expose: {
        report: (items: readonly unknown[]) => this.#report(items),
        acknowledge: (ack: Ack) => this.outbox.acknowledge(ack),
        capability: (slot: number, incarnation: number, name: string, input: unknown) =>
          this.#capability(slot, incarnation, name, input),
        connect: (sender: unknown, address: unknown, id: unknown, taken: unknown) =>
          options.broker.connect(this, { sender, address, id, taken }),
        disconnect: (line: number) => options.broker.disconnect(this, line),
        ended: (address: unknown) => options.broker.ended(textOf(address) ?? ''),
      },
      mailbox: ['report', 'acknowledge'],
      onViolation: (what) => options.warn({ thread: this.name }, `refused ${what} from a thread`),
      // A thread that cannot be spoken to is of no use; its exit says why to those who wait.
      onClose: () => this.#worker.terminate(),
    });
    this.outbox = new Outbox({
      deliver: (batch, transfer) => this.#deliver(batch, transfer),
      delivered: (tag) => waiting.resolve(tag),
      expired: ({ slot }, event, tag) => this.#seats.get(slot)?.instance.inbox.refuse(event, tag, 'expired'),
      answered: (ack) => this.#answered(ack),
      now: () => options.clock.now(),
      isClonable,
      unclonable: ({ slot }, event, tag) =>
        this.#seats.get(slot)?.instance.inbox.refuse(event, tag, 'unclonable'),
    });
    this.#watchdog = new Watchdog({
      clock: options.clock,
      ...pool.watchdog,
      progress: this.#progress,
      utilization: () => this.#worker.utilization?.(),
      ping: () => this.#link.call('hello' satisfies ThreadMethod),
      awaited: () => this.#link.pending > 0,
      debugged: () => inspectorUrl() !== undefined,
      slow: (slot, ms) =>
        options.warn({ thread: this.name, ms, ...this.#doing(slot).fields }, slot === -1 ? BUSY : SLOW),
      hung: (slot, ms) => this.#hung(slot, ms),
    });
    this.#link.call('hello' satisfies ThreadMethod).then(
      () => this.#started(),
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
  occupants(): Instance[] {
    return Array.from(this.#seats.values(), ({ instance }) => instance);
  }

  /** Nothing is heard of the thread any more. */
  get gone(): boolean {
    return this.#gone;
  }

  /** Runs the instance here, as soon as the thread is up. */
  host(address: string): void {
    const instance = this.#options.instanceAt(address);
    if (instance === undefined || !instance.placed(this)) return this.#options.release(this.n);
    if (this.#ready) void this.#activate(instance);
    else this.#queue.push(instance);
  }

  /** Has all instances go elsewhere, each as soon as it can. */
  moveOut(): void {
    this.#movingOut = true;
    for (const seat of this.#seats.values()) if (seat.attachment !== undefined) this.#sendOff(seat);
  }

  /** Those that can go do so at once; the thread is of no more use to the others. */
  async hurry(): Promise<void> {
    this.#call('hurry').catch(() => {});
    await Promise.all(this.#departures);
    this.#options.tell({ type: 'worker.vacated' });
  }

  /** Those that have not gone stay. */
  stay(): void {
    this.#movingOut = false;
    for (const { slot, attachment } of this.#seats.values()) {
      if (attachment === undefined) continue;
      this.#call('stay', slot).catch(() => {});
    }
  }

  #sendOff(seat: Seat): void {
    const departure = this.#depart(seat);
    this.#departures.add(departure);
    void departure.finally(() => this.#departures.delete(departure));
  }

  async #depart(seat: Seat): Promise<void> {
    const { instance, slot } = seat;
    try {
      const state = (await this.#call('depart', slot)) as PersistedState | undefined;
      if (state === undefined || this.#seats.get(slot) !== seat) return;
      this.#vacate(seat);
      if (instance.holds(seat)) instance.departed(state);
    } catch (error) {
      if (this.#gone) return;
      const fields = { thread: this.name, address: instance.address, error };
      this.#options.warn(
        fields,
        'an instance cannot move to another thread, and stays on one that is to be replaced',
      );
    }
  }

  /** Why the thread has ended, or is about to. */
  get cause(): ThreadCause {
    return this.#cause;
  }

  /** Ends the thread, with whatever still runs on it. */
  end(cause: ThreadCause): void {
    this.#cause = cause;
    if (cause === 'init-timeout') {
      this.#failure ??= new HoldfastError(
        'THREAD_START_TIMEOUT',
        `${this.name} did not start within ${this.#options.pool.startTimeoutMs} ms; ` +
          'raise startTimeoutMs of its pool, or look at what the machine is busy with',
      );
    }
    this.#worker.terminate();
  }

  /** Opens or closes the mirror of an instance. */
  watch(seat: Seat, watched: boolean): void {
    this.#call('watch', seat.slot, watched).catch(() => {});
  }

  async ask(
    seat: Seat,
    method: 'snapshot' | 'persist' | 'can',
    ...args: readonly unknown[]
  ): Promise<unknown> {
    const { pool } = this.#options;
    withoutShared(args, pool, 'MESSAGE_UNCLONABLE', `what ${method}() was given`);
    const answer = await this.#call(method, seat.slot, ...args);
    if (method === 'snapshot' && !pool.sharedMemory && sharesMemory(answer)) {
      return toUnshared(answer as WireSnapshot);
    }
    return withoutShared(answer, pool, 'REPLY_UNCLONABLE', `what ${method}() gives`);
  }

  /** Stops the instance in its thread; afterwards nothing more is heard of it. */
  async deactivate(seat: Seat): Promise<void> {
    await this.#call('deactivate', seat.slot);
    this.#vacate(seat);
  }

  #call(method: ThreadMethod, ...args: readonly unknown[]): Promise<unknown> {
    if (this.#ready) this.#watchdog.watch();
    return this.#link.call(method, ...args);
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
    this.#failure = new HoldfastError(
      'THREAD_CRASHED',
      `${this.name} did not take a batch of events and is ended; its instances go on by their restart policy`,
      { cause },
    );
    this.#cause = 'error';
    this.#options.tell({ type: 'worker.failed', cause: 'error', error: this.#failure });
  }

  #started(): void {
    this.#ready = true;
    this.#watchdog.watch();
    this.#watchHeap();
    this.#options.tell({ type: 'worker.ready' });
    const queue = this.#queue;
    this.#queue = [];
    for (const instance of queue) void this.#activate(instance);
  }

  async #activate(instance: Instance): Promise<void> {
    if (!instance.awaits(this)) return;
    const { clock, pool } = this.#options;
    const seat = this.#seat(instance);
    instance.seated(seat);
    try {
      const activated = this.#call('activate', instance.activation(seat));
      await within(clock, pool.startTimeoutMs, activated, () =>
        notStarted(instance, pool.startTimeoutMs, activated),
      );
    } catch (error) {
      if (error instanceof NotStarted) {
        if (instance.holds(seat)) instance.startFailed(error.reason, 'init-timeout');
        // Whenever it does start, it must not stay; until then its slot is taken.
        await error.activated.then(() => this.deactivate(seat)).catch(() => this.#vacate(seat));
        return;
      }
      if (this.#seats.get(seat.slot) !== seat) return;
      this.#vacate(seat);
      if (!instance.holds(seat)) return;
      instance.startFailed(isDataCloneError(error) ? unclonableInput(instance.address, error) : error);
      return;
    }
    if (this.#seats.get(seat.slot) !== seat) return;
    if (instance.over || !instance.holds(seat)) {
      // It was stopped while it started, or ended with its group.
      await this.deactivate(seat).catch(() => {});
      return;
    }
    seat.attachment = this.outbox.attach(instance.mailbox, seat.slot);
    instance.running();
    if (this.#movingOut) this.#sendOff(seat);
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
    const slot = this.#free.pop() ?? this.#slots++;
    this.#progress.reserve(slot);
    return { slot, base: this.#progress.handled(slot) };
  }

  freeSlot(slot: number): void {
    this.#free.push(slot);
  }

  counted(slot: number): number {
    return this.#progress.handled(slot);
  }

  #seat(instance: Instance): Seat {
    const { slot, base } = this.takeSlot();
    const { incarnation } = instance;
    const seat: Seat = {
      slot,
      instance,
      incarnation,
      base,
      attachment: undefined,
      deferred: new Set(),
      kept: 0,
      links: new Set(),
    };
    this.#seats.set(slot, seat);
    return seat;
  }

  /**
   * The seat is free again; its envelopes are settled by what the thread says it has handled. Asks that were put off
   * are not answered any more; when the thread is gone for a `reason`, neither are those it had handled.
   */
  #vacate(seat: Seat, { reason, ending, inHand = -1, evidence, failed }: Ending = {}): void {
    if (this.#seats.get(seat.slot) !== seat) return;
    this.#seats.delete(seat.slot);
    this.freeSlot(seat.slot);
    const { attachment, deferred, instance } = seat;
    const wire = evidence && { ...evidence, error: encodeError(evidence.error) };
    const error = reason && encodeError(reason);
    this.#options.broker.vacated(seat, { error, inHand, evidence: wire });
    if (attachment === undefined) return;
    const handled = (this.#progress.handled(seat.slot) - seat.base) | 0;
    const { waiting } = this.#options;
    // The next incarnation goes on from the last state there is, and handles again what is not in it.
    const again = (reason !== undefined || failed !== undefined) && instance.keepsState;
    const settled = again ? Math.max(seat.kept, attachment.acked) : handled;
    this.outbox.detach(attachment, settled, reason && ((tag) => waiting.reject(tag, reason)));
    if (again && failed === 'in-turn' && handled > settled)
      instance.mailbox.settleAt(handled - settled - 1, (tag) => waiting.resolve(tag));
    for (const tag of deferred) waiting.reject(tag, ending ?? reason ?? instance.ending());
    if (inHand === seat.slot && evidence !== undefined && instance.holds(seat))
      instance.inbox.suspect(evidence, handled - settled);
  }

  /**
   * An instance may answer only what instances of its pool were asked. Each list ends with the first tag that is none:
   * one that a thread made up may have four thousand million holes.
   */
  #answered([, ...lists]: Ack): void {
    const { waiting, pool } = this.#options;
    const { threadId } = pool;
    const [tags, values, failed, deferred, more] = lists.map(listOf) as Partial<Lists>;
    for (let i = 0; typeof tags?.[i] === 'number'; i++) {
      const tag = tags[i] as Tag;
      if (!waiting.isOf(tag, threadId)) continue;
      const answer = wholeAnswer(tag, values?.[i], more ?? []);
      // Here and not in the thread, which is not to be believed: one look is enough, and costs a primitive nothing.
      if (pool.sharedMemory || !sharesMemory(answer)) waiting.resolve(tag, answer);
      else waiting.reject(tag, sharedReply(threadId));
    }
    for (let i = 0; typeof failed?.[i] === 'number'; i += 2) {
      const tag = failed[i] as Tag;
      if (waiting.isOf(tag, threadId)) waiting.reject(tag, decodeError(failed[i + 1] as WireError));
    }
    for (let i = 0; typeof deferred?.[i + 1] === 'number'; i += 2) {
      const tag = deferred[i + 1] as Tag;
      if (waiting.isOf(tag, threadId)) this.#seats.get(deferred[i] as number)?.deferred.add(tag);
    }
  }

  /** Flat triples; whatever does not look like that comes from somebody who is not our thread code. */
  #report(items: readonly unknown[]): void {
    if (!Array.isArray(items)) return this.#options.warn({ thread: this.name }, 'refused a malformed report');
    for (let i = 0; i + 2 < items.length; i += 3) {
      const [kind, slot]: unknown[] = [items[i], items[i + 1]];
      if (typeof kind !== 'number' || typeof slot !== 'number') {
        return this.#options.warn({ thread: this.name }, 'refused the rest of a malformed report');
      }
      const seat = this.#seats.get(slot);
      if (kind === REPORT.warning) this.#warning(seat, items[i + 2]);
      else if (kind === REPORT.letter) this.#letter(items[i + 2]);
      else if (seat?.instance.holds(seat)) this.#safely(kind, seat, items[i + 2]);
    }
  }

  /** What one report does wrong costs none of the others. */
  #safely(kind: number, seat: Seat, payload: unknown): void {
    try {
      const shares = !this.#options.pool.sharedMemory && sharesMemory(payload);
      if (shares) this.#reportedShared(kind, seat, payload);
      else this.#reported(kind, seat, payload);
    } catch (error) {
      const fields = { thread: this.name, address: seat.instance.address, error };
      this.#options.warn(fields, 'a report of a thread could not be followed');
    }
  }

  /** As with what cannot be cloned: of a state that part is left out, an event stays behind. */
  #reportedShared(kind: number, seat: Seat, payload: unknown): void {
    const { threadId } = this.#options.pool;
    if (kind === REPORT.snapshot) return this.#reported(kind, seat, toUnshared(payload as WireSnapshot));
    if (kind === REPORT.state) return seat.instance.cannotKeep(sharedMemoryAdvice(threadId));
    if (kind === REPORT.emitted || kind === REPORT.parentEvent || kind === REPORT.withErrors) {
      return this.#warning(seat, `an event was left behind in the thread: ${sharedMemoryAdvice(threadId)}`);
    }
    this.#reported(kind, seat, withoutSharedMemory(payload));
    if (kind !== REPORT.done) return;
    this.#warning(seat, `part of the output or context was left behind: ${sharedMemoryAdvice(threadId)}`);
  }

  #reported(kind: number, seat: Seat, payload: unknown): void {
    const { instance } = seat;
    if (kind === REPORT.snapshot) instance.mirrored(payload as WireSnapshot);
    else if (kind === REPORT.withErrors) {
      const [inner, event, errors] = payload as [number, unknown, ErrorsWithin];
      const whole = restoreErrors(event, errors) as { type: string };
      if (inner === REPORT.emitted) instance.emitted(whole);
      else if (inner === REPORT.parentEvent) instance.sentToParent(whole);
    } else if (kind === REPORT.emitted) instance.emitted(payload as { type: string });
    else if (kind === REPORT.parentEvent) instance.sentToParent(payload as { type: string });
    else if (kind === REPORT.expired) instance.inbox.expiredInThread(payload, true);
    else if (kind === REPORT.expiredInPart) instance.inbox.expiredInThread(payload, false);
    else if (kind === REPORT.state) this.#kept(seat, payload);
    else if (kind === REPORT.stateless) instance.cannotKeep(textOf(payload) ?? 'it said no more');
    else if (kind === REPORT.done) {
      this.#vacate(seat);
      instance.done(payload as DoneReport);
    } else if (kind === REPORT.error) {
      const { error: wire, snapshot, inTurn } = payload as ErrorReport;
      const error = decodeError(wire);
      this.#vacate(seat, { ending: error, failed: inTurn === true ? 'in-turn' : 'between' });
      instance.failed(error, 'error', snapshot);
    }
  }

  /** What a thread says it has handled, it has been sent. */
  #kept(seat: Seat, payload: unknown): void {
    const [state, handled] = payload as StateOf;
    const most = (this.#progress.handled(seat.slot) - seat.base) | 0;
    seat.kept = Math.max(seat.kept, Math.min(most, (handled - seat.base) | 0));
    seat.instance.keep(state);
  }

  #letter(payload: unknown): void {
    const { address, reason, event, evidence } = (payload ?? {}) as Partial<LetterReport>;
    if (typeof address !== 'string' || !isDeadLetterReason(reason)) {
      return this.#options.warn({ thread: this.name }, 'refused a malformed dead letter');
    }
    const { sharedMemory } = this.#options.pool;
    const whole = sharedMemory ? event : withoutSharedMemory(event);
    this.#options.letter({ address, reason, event: whole, ...(isEvidence(evidence) && { evidence }) });
  }

  #warning(seat: Seat | undefined, message: unknown): void {
    const fields = { thread: this.name, ...(seat && { address: seat.instance.address }) };
    this.#options.warn(fields, typeof message === 'string' ? message : 'a thread sent a malformed warning');
  }

  async #capability(slot: number, incarnation: number, name: string, input: unknown): Promise<unknown> {
    const seat = this.#seats.get(slot);
    if (seat === undefined || seat.incarnation !== incarnation || !seat.instance.holds(seat)) {
      throw new HoldfastError('AGENT_STOPPED', 'the instance that asked for a capability has ended');
    }
    const { pool, capability } = this.#options;
    const { address } = seat.instance;
    withoutShared(input, pool, 'MESSAGE_UNCLONABLE', `what ${address} gave a capability`);
    const result = await capability(seat.instance, name, input);
    return withoutShared(result, pool, 'REPLY_UNCLONABLE', `what a capability gives ${address}`);
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

  /** What the thread does right now, as far as the host can know it. */
  #doing(slot: number): { readonly what: string; readonly fields: object } {
    const seat =
      this.#seats.get(slot) ??
      [...this.#seats.values()].find(({ links }) => [...links].some((link) => link.slot === slot));
    if (seat === undefined)
      return { what: 'something outside of any turn, such as a timer or an import', fields: {} };
    const { instance, attachment, base } = seat;
    const { address, agent } = instance;
    const handled = (this.#progress.handled(slot) - base - (attachment?.acked ?? 0)) | 0;
    const type = slot === seat.slot ? typeOf(instance.mailbox.peek(handled)) : undefined;
    const event = type === undefined ? 'an event of another agent' : `"${type}"`;
    return { what: `${event} for ${address}`, fields: { agent: agent.name, address, type } };
  }

  #hung(slot: number, ms: number): void {
    this.#failure = new HoldfastError(
      'THREAD_HUNG',
      `${this.name} did nothing for ${Math.round(ms)} ms but handle ${this.#doing(slot).what}, and was ended; give such ` +
        'work a thread of its own, do it in steps, or raise watchdog.killMs of the pool',
    );
    this.#cause = 'hang';
    this.#options.tell({ type: 'worker.failed', cause: 'hang', error: this.#failure });
  }

  #failed(error: unknown): void {
    // Whatever was thrown comes here, also `null`.
    const oom = (error as { code?: unknown } | null | undefined)?.code === 'ERR_WORKER_OUT_OF_MEMORY';
    this.#failure = oom
      ? new HoldfastError(
          'THREAD_OUT_OF_MEMORY',
          `${this.name} reached its memory limit; raise resourceLimits of its pool or keep less in its agents`,
          { cause: error },
        )
      : new HoldfastError(
          'THREAD_CRASHED',
          `${this.name} ended with an uncaught error; catch it in the agent, or invoke the work as an actor`,
          { cause: error },
        );
    this.#cause = oom ? 'oom' : 'error';
    this.#options.tell({ type: 'worker.failed', cause: this.#cause, error: this.#failure });
  }

  #exited(code: number): void {
    const exited = (): void => this.#options.tell({ type: 'worker.exit', code });
    if (this.#gone) return exited();
    // What it had told before is known before its end is.
    this.#link.drain();
    this.#lose(
      this.#failure ??
        new HoldfastError('THREAD_CRASHED', `${this.name} exited with code ${code} while it was in use`),
      exited,
    );
  }

  /** It was ended and is still alive, held by a call into the operating system. Its code does not run any more. */
  abandon(): void {
    if (this.#gone) return;
    const message =
      'a thread that was ended does not end: a call into the operating system holds it; its place stays taken';
    this.#options.warn({ thread: this.name, cause: this.#cause }, message);
    this.#lose(this.#failure ?? new HoldfastError('THREAD_CRASHED', `${this.name} was ended`), () => {});
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
    const seats = [...this.#seats.values()];
    const queued = this.#queue;
    this.#queue = [];
    for (const seat of seats) this.#vacate(seat, { reason, inHand, evidence });
    this.#options.broker.gone(this);
    // First the room is free again for the pool, then the instances may ask for it.
    told();
    for (const seat of seats) {
      const { instance, attachment } = seat;
      if (!instance.holds(seat)) continue;
      if (attachment === undefined) instance.startFailed(reason, why);
      else instance.failed(reason, why);
    }
    for (const instance of queued) if (instance.awaits(this)) instance.startFailed(reason, why);
  }
}

function isEvidence(value: unknown): value is WireEvidence {
  const { error } = (value ?? {}) as Partial<WireEvidence>;
  return typeof error === 'object' && error !== null;
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

/** Whatever the thread sent where lists should be. */
type Lists = [tags: unknown[], values: unknown[], failed: unknown[], deferred: unknown[], more: unknown[]];

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function sharedReply(threadId: string): HoldfastError {
  return new HoldfastError('REPLY_UNCLONABLE', `the reply cannot cross: ${sharedMemoryAdvice(threadId)}`);
}

function unclonableInput(address: string, cause: unknown): HoldfastError {
  const advice = 'pass plain data without functions, actors or sockets';
  return new HoldfastError('MESSAGE_UNCLONABLE', `the input of ${address} cannot be cloned; ${advice}`, {
    cause,
  });
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

function notStarted({ address }: Instance, ms: number, activated: Promise<unknown>): NotStarted {
  const advice =
    'does its module wait for something at the top level? startTimeoutMs of its pool sets the limit';
  const reason = new HoldfastError(
    'THREAD_START_TIMEOUT',
    `${address} did not start within ${ms} ms; ${advice}`,
  );
  return new NotStarted(reason, activated);
}
