import type { Ending } from '../base/ending.ts';
import { HoldfastError } from '../base/errors.ts';
import { REPORT, type EncodedState, type HostMethod, type SecretUseName } from '../wire/protocol.ts';
import type { AskedCapability, CapabilityCalls } from './capability-calls.ts';
import type { HostAnswer, HostStreams } from './host-streams.ts';
import type { HostedInstance, InstanceOwner } from './hosted-instance.ts';
import type { LateActs } from './late-acts.ts';
import type { LogReports } from './log-reports.ts';
import type { Outlet } from './outlet.ts';
import type { ReplyStream } from './reply-stream.ts';
import type { ReplyStreams } from './reply-streams.ts';
import type { Reports } from './reports.ts';
import type { RequestBody } from './request-body.ts';
import type { HostBridge, OpenAsk, PeerBridge, Self, WriteLog } from './thread-state.ts';
import { currentTrace } from './trace-context.ts';
import type { Turns } from './turns.ts';

/** What the bridges of a thread have in common. */
export interface BridgeThread {
  readonly turns: Pick<Turns, 'answer' | 'wake'>;
  readonly reports: Pick<Reports, 'add'>;
  readonly streams: Pick<ReplyStreams, 'open'>;
  readonly logReports: LogReports;
  readonly lateActs: LateActs;
  /** The way of instances that are not durable to others. */
  readonly peers: PeerBridge;
  readonly capabilityCalls: Pick<CapabilityCalls, 'call'>;
  readonly hostStreams: Pick<HostStreams, 'open'>;
  /** The next number of what the thread asks its host for. */
  readonly nextUse: () => number;
  readonly callHost: (method: HostMethod, ...args: readonly unknown[]) => Promise<unknown>;
  readonly callWith: (
    moving: readonly ArrayBuffer[],
    method: HostMethod,
    ...args: readonly unknown[]
  ) => Promise<unknown>;
  /** Has the host do something until the signal aborts. */
  readonly onBehalf: (method: HostMethod, args: readonly unknown[], signal: AbortSignal) => Promise<unknown>;
  /** The instance has ended. */
  readonly left: (instance: HostedInstance) => void;
  /** The instance has told a large state. */
  readonly rest: (instance: HostedInstance, outlet: Outlet) => void;
}

/** What one instance asks of its host and its thread, and tells them. All instances share its methods: most are idle. */
export class InstanceBridge implements HostBridge, InstanceOwner {
  readonly self: Self;
  readonly #thread: BridgeThread;
  readonly #slot: number;
  #outlet: Outlet | undefined;
  /** Absent while it is made: events that it sends itself meanwhile are handled when it has started. */
  #instance: HostedInstance | undefined;

  constructor(thread: BridgeThread, slot: number, self: Self) {
    this.#thread = thread;
    this.#slot = slot;
    this.self = self;
  }

  /** What the instance lets out goes with its state from now on. */
  letsOutBy(outlet: Outlet): void {
    this.#outlet = outlet;
  }

  made(instance: HostedInstance): void {
    this.#instance = instance;
  }

  get over(): boolean {
    return this.#instance?.over === true;
  }

  /** Whether the state may have changed since it was told. */
  get changed(): boolean {
    return this.#instance?.changes !== false;
  }

  touched(): void {
    this.#instance?.touched();
  }

  useSecret(use: SecretUseName, input: object, ending: Ending): Promise<unknown> {
    const committed = this.#outlet?.committed();
    if (committed !== undefined) return committed.then(() => this.#beginUse(use, input, ending));
    try {
      return this.#beginUse(use, input, ending);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  #beginUse(use: SecretUseName, input: object, ending: Ending): Promise<unknown> {
    if (this.over) throw this.#tooLate('the use of a secret', ' and uses no secret any more');
    ending.throwIfEnded();
    const { capabilityCalls, onBehalf } = this.#thread;
    const { incarnation } = this.self;
    const together =
      use === 'capability'
        ? capabilityCalls.call(this.#slot, incarnation, input as AskedCapability, ending)
        : undefined;
    return together ?? onBehalf('secret', [this.#slot, incarnation, use, input], ending.signal);
  }

  async callTool(server: string, tool: string, args: string, signal: AbortSignal): Promise<unknown> {
    if (this.#outlet !== undefined) await this.#outlet.committed();
    if (this.over) throw this.#tooLate('the call of a tool', ' and calls no tool any more');
    const { incarnation } = this.self;
    return this.#thread.onBehalf('tool', [this.#slot, incarnation, server, tool, args], signal);
  }

  async openStream(
    input: object,
    body: RequestBody | undefined,
    signal: AbortSignal | undefined,
  ): Promise<HostAnswer> {
    if (this.#outlet !== undefined) await this.#outlet.committed();
    if (this.over) throw this.#tooLate('the use of a secret', ' and uses no secret any more');
    const { hostStreams, nextUse, callWith } = this.#thread;
    const n = nextUse();
    const trace = currentTrace();
    const send = (moving: readonly ArrayBuffer[], sent: object): Promise<unknown> => {
      const { incarnation } = this.self;
      const asked = [this.#slot, incarnation, 'stream', { ...input, ...sent }, n, ...(trace ? [trace] : [])];
      return callWith(moving, 'secret', ...asked);
    };
    return hostStreams.open({ n, send, body, signal });
  }

  committed(): Promise<void> {
    return this.#outlet?.committed() ?? Promise.resolve();
  }

  get keepStep(): HostBridge['keepStep'] {
    return this.#outlet && ((...step) => this.#keepStep(...step));
  }

  async #keepStep(start: string, key: string, value: EncodedState): Promise<void> {
    if (this.over) throw this.#tooLate('a step', ', and nothing of its steps is kept');
    await this.#thread.callHost('step', this.#slot, this.self.incarnation, [start, key, value]);
  }

  #tooLate(what: string, so: string): HoldfastError {
    this.late(what);
    return new HoldfastError('AGENT_STOPPED', `${this.self.address} has ended${so}`);
  }

  defer(ask: OpenAsk): void {
    this.#existing.deferred.set(ask.id, { ask, asker: undefined, incarnation: this.self.incarnation });
  }

  stream(ask: OpenAsk): ReplyStream {
    ask.state = 'deferred';
    this.defer(ask);
    return this.#thread.streams.open(this.#existing, ask);
  }

  answer(ask: number, value: unknown): boolean {
    return this.#thread.turns.answer(this.#existing, ask, value);
  }

  /** An ask is there only in a turn, and so is its instance. */
  get #existing(): HostedInstance {
    return this.#instance as HostedInstance;
  }

  warn(message: string): void {
    // The slot may be another instance's by then.
    this.#thread.reports.add(REPORT.warning, this.over ? -1 : this.#slot, message);
  }

  get log(): WriteLog {
    return (level, message, fields) => {
      const { address, incarnation } = this.self;
      const { logReports } = this.#thread;
      if (this.over) logReports.add(-1, level, message, { ...fields, address, incarnation });
      else {
        logReports.add(this.#slot, level, message, fields);
        this.#instance?.logged(level, message, fields);
      }
    };
  }

  get peers(): PeerBridge {
    return this.#outlet ?? this.#thread.peers;
  }

  wake(): void {
    if (this.#instance !== undefined) this.#thread.turns.wake(this.#instance);
  }

  large(): void {
    if (this.#instance !== undefined && this.#outlet !== undefined)
      this.#thread.rest(this.#instance, this.#outlet);
  }

  ended(): void {
    this.#thread.left(this.#existing);
  }

  late(what: string): void {
    this.#thread.lateActs.add(this.self, what);
  }
}
