import { AsyncLocalStorage } from 'node:async_hooks';
import type { Writable } from 'node:stream';
import type { AnyEventObject } from 'xstate';
import { threadId as nodeThreadId, type MessagePort } from 'node:worker_threads';
import { HoldfastError } from '../base/errors.ts';
import { issuesInWords } from '../base/event-issue.ts';
import { invalid } from '../dead-letters/refusal.ts';
import { decodeState } from '../wire/encoded-state.ts';
import { encodeError, isClonable } from '../wire/errors.ts';
import { InspectionFeed } from '../wire/inspection-feed.ts';
import { openLink, type LinkPort } from '../wire/link.ts';
import { openProgress } from '../wire/progress.ts';
import {
  LISTS,
  REPORT,
  type ActivateRequest,
  type Admission,
  type Chunks,
  type HostMethod,
  type LetterReport,
  type Outcomes,
  type Severance,
  type StartOutcome,
  type ThreadData,
  type TraceReport,
  type UsedCapabilities,
} from '../wire/protocol.ts';
import { toClonable } from '../wire/snapshot.ts';
import { whyUnclonable } from '../wire/unclonable.ts';
import { systemClock } from '../base/clock.ts';
import type { ActorClock } from '../xstate/actor-clock.ts';
import { CapabilityCalls } from './capability-calls.ts';
import { Departures } from './departures.ts';
import { eventLoop, type EventLoop } from './event-loop.ts';
import { HostAsks } from './host-asks.ts';
import { HostStreams } from './host-streams.ts';
import { HostedInstance } from './hosted-instance.ts';
import { InstanceBridge, type BridgeThread } from './instance-bridge.ts';
import { createLateActs } from './late-acts.ts';
import { loadLogic, type LoadedAgent } from './load-logic.ts';
import { changedVersion, migrated } from './migrations.ts';
import { createLogReports } from './log-reports.ts';
import type { Batch } from '../mailbox/batch.ts';
import type { Ack } from '../mailbox/outbox.ts';
import type { TimeoutClock } from '../mailbox/waiting.ts';
import { ReplyStreams } from './reply-streams.ts';
import { Reports } from './reports.ts';
import { Acks, clonableAck, movingWith, tellAck } from './acks.ts';
import { Commits } from './commits.ts';
import { Outlet } from './outlet.ts';
import { Peers } from './peers.ts';
import { createInflow, type Inflow, type Source } from './inflow.ts';
import { boundPrinted } from './printed.ts';
import { SLICE_MS } from './time-slice.ts';
import { threadState, type WriteLog } from './thread-state.ts';
import { currentTrace, delayed } from './trace-context.ts';
import { Turns } from './turns.ts';

/**
 * The most reports that the host has not taken yet; beyond it the instances of the thread wait, because the host could
 * not keep up.
 */
const MAX_UNTOLD = 32;
/** The longest rest of an instance with a large state: a commit that takes longer does not take so long for its size. */
const LONGEST_REST_MS = 1000;

/** The surroundings of a thread; tests bring their own. */
export interface ThreadSurroundings {
  /** The clock for the delays of its agents. */
  readonly clock?: ActorClock;
  readonly loop?: EventLoop;
  /** Node's id of the thread. */
  readonly thread?: number;
  /** Milliseconds of the host's clock. */
  readonly now?: () => number;
  /** Brings in a port to another thread, by the number that both threads have for it. Default: the port as it is. */
  readonly adopt?: (port: MessagePort, id: number) => LinkPort;
  /** Imports an agent's module and returns what it exports for the agent. */
  readonly load?: typeof loadLogic;
  /** The thread's own streams, into which its agents print. Default: none, and the output is not bounded. */
  readonly printedTo?: readonly Writable[];
}

export interface Thread {
  /** The thread ends with this error soon. Node tells the host little of anything but a plain error. */
  uncaught(thrown: unknown): void;
  /**
   * Ends every instance, as the last act of the thread: runs the cleanup of each, the last one started first, whatever
   * it is doing. An error in one cleanup affects no other, and what a cleanup sends is lost, unless it sends at once.
   */
  end(): void;
}

/**
 * Does all the work of a thread: hosts instances, runs their turns and reports the results. Several such threads may
 * share one real thread.
 */
export function startThread(data: ThreadData, surroundings: ThreadSurroundings = {}): Thread {
  const { clock = systemClock, loop, thread = nodeThreadId, load = loadLogic, printedTo = [] } = surroundings;
  const { now = hostTime(data.clockOrigin), adopt = (port) => port } = surroundings;
  const progress = openProgress(data.progress);
  const instances = new Map<number, HostedInstance>();
  const inflows = new Map<number, Inflow>();
  const loaded = new Map<string, LoadedAgent>();
  /** Instances that wait to be started, mostly for their modules; one that is stopped in the meantime does not start. */
  const loading = new Map<number, ActivateRequest>();
  let delivered = 0;
  let untold = 0;
  /** The number of secret uses and calls of tools that the host was asked for. */
  let uses = 0;
  /** Whether an instance has begun whose states are committed before they are told. */
  let commitsStates = false;
  /** An instance of the thread is, or was, inspected. */
  let isInspected = false;
  const reports = new Reports(
    (items, moving = []) => {
      link.tell(moving, 'report' satisfies HostMethod, items);
      untold += 1;
    },
    loop,
    (slot) => progress.untell(slot),
    (tag, chunks) => streams.cut(tag, chunks),
  );
  const turns = new Turns({
    progress,
    now,
    beforeAck() {
      reports.flush();
      capabilityCalls.flush();
    },
    refused({ inflow, event, tag, nth, issues }) {
      const { key, source, instance } = inflow;
      const { address } = instance;
      if (source === host) {
        reports.add(REPORT.invalid, key, [progress.handled(key), issues]);
        instance.skip();
      } else {
        letter({ address, reason: 'invalid', event, why: issuesInWords(event.type, issues) });
        inflow.asker.acks.refused(inflow, nth, tag, invalid(address, event.type, issues));
      }
      // Flushed before it is counted, as what has expired.
      reports.flush();
    },
    commits: () => commitsStates,
    held: () => untold >= MAX_UNTOLD || printed.held,
    expired({ key, source, instance }, event) {
      if (source === host) {
        reports.add(REPORT.expired, key, event);
        instance.skip();
      } else letter({ address: instance.address, reason: 'expired', event });
      // Flushed before the envelope is counted: if the thread dies now, the envelope was either reported or is still
      // the sender's.
      reports.flush();
    },
    traced({ instance, source }, { headers, sentAt }, startedAt, endedAt, sender) {
      const { address, slot, failure } = instance;
      const error = failure === undefined ? undefined : encodeError(failure);
      // After an `await` an agent may send without a known sender.
      const from = sender ?? (source === host ? undefined : '');
      const report: TraceReport = { address, from, headers, sentAt, startedAt, endedAt, error };
      reports.add(REPORT.traced, slot, report);
    },
    loop,
  });
  const commits = new Commits({
    flush: reports.flush,
    committed: (slots) => callHost('committed', slots) as Promise<readonly number[]>,
    letOut: () => turns.tell(),
  });
  const streams = new ReplyStreams({
    reports,
    turns,
    threadId: data.threadId,
    sharedMemory: data.sharedMemory === true,
  });
  const host: Source = {
    acks: new Acks(),
    inflowOf: (slot) => inflows.get(slot),
    acknowledge: (ack) => tellAck(ack, tellHost),
  };
  const letter = (payload: LetterReport): void => reports.add(REPORT.letter, -1, payload);
  const warn = (message: string): void => reports.add(REPORT.warning, -1, message);
  const printed = boundPrinted(printedTo, { clock, warn, resume: () => turns.resume() });
  const waitClock: TimeoutClock = {
    setTimeout: (run, ms) => clock.setTimeout(run, ms),
    clearTimeout: (timer) => clock.clearTimeout(timer),
    now,
  };
  const asks = new HostAsks(waitClock);
  const peers = new Peers({
    turns,
    clock: waitClock,
    instanceAt: (slot) => instances.get(slot),
    callHost,
    letter,
    flush: reports.flush,
    warn,
    sharedMemory: data.sharedMemory === true,
    isInspected: () => isInspected,
  });
  threadState().peers = peers;
  const inspection = new InspectionFeed({
    loop: loop ?? eventLoop,
    clock,
    now,
    send: (events, sampled) => callHost('inspected', events, sampled),
  });
  const logReports = createLogReports(reports, clock, now);
  const log: WriteLog = (...line) => logReports.add(-1, ...line);
  threadState().log = log;
  threadState().origin ??= new AsyncLocalStorage();
  threadState().outside ??= AsyncLocalStorage.snapshot();
  const lateActs = createLateActs(warn, clock);
  const machineClock: ActorClock = { ...clock, setTimeout: (run, ms) => clock.setTimeout(delayed(run), ms) };
  const departures = new Departures({
    clock,
    loop,
    isBusy: (instance) => peers.isBusy(instance.self) || turns.isAsked(instance) || instance.holds,
    pause: (instance) => turns.pause(instance),
    goOn: (instance) => turns.goOn(instance),
    asksOf(instance) {
      const asks = instance.putOff(host);
      return asks.length === instance.putOffs ? asks : undefined;
    },
    endStreams: (instance) => streams.interrupt(instance),
    leave(instance) {
      // These asks are answered elsewhere.
      instance.deferred.clear();
      instance.mirror();
      instance.stop();
      left(instance);
      tellAll();
    },
  });

  /** Whether the instance has nothing under way, so that all there is of it is in its record. */
  function isAtRest(instance: HostedInstance): boolean {
    return (
      instance.putOffs === 0 &&
      !instance.holds &&
      !turns.hasWork(instance) &&
      !peers.isBusy(instance.self) &&
      instance.movable() === true
    );
  }

  /**
   * Sent before the answer: as soon as the host has that, the slot is free for another instance, and the thread may be
   * ended.
   */
  function tellAll(): void {
    turns.tell();
    reports.flush();
    capabilityCalls.flush();
  }

  const link = openLink(data.port as MessagePort, {
    expose: {
      hello: () => thread,
      deliver(batch: Batch, n: number = delivered) {
        if (n !== delivered) throw new Error(`batch ${delivered} was lost on its way, ${n} came`);
        delivered += 1;
        return turns.deliver(batch, host);
      },
      /** Whether this thread can run the agent at all. */
      load: async (moduleUrl: string, exportName: string, name: string) => {
        await loadOnce({ moduleUrl, exportName }, name);
      },
      /** The schemas that the agent's module exports, as a text; nothing when it exports none. */
      async schemas(moduleUrl: string, exportName: string, name: string) {
        const { contract } = await loadOnce({ moduleUrl, exportName }, name);
        if (contract === undefined) return undefined;
        const { schemasText } = await import('./schemas-text.ts');
        return schemasText(contract);
      },
      activate,
      activateAll(requests: readonly ActivateRequest[]) {
        for (const request of requests) loading.set(request.slot, request);
        return startAll(requests, []);
      },
      deactivate(slots: number | readonly number[], counted?: number) {
        for (const slot of typeof slots === 'number' ? [slots] : slots) {
          if (counted !== undefined) progress.begin(counted);
          deactivate(slot);
          if (counted !== undefined) progress.end(counted);
        }
        tellAll();
        return commits.passed();
      },
      depart(slot: number, hold: boolean) {
        // The instance may have ended, and the host is about to be told.
        const instance = instances.get(slot);
        return instance === undefined ? undefined : departures.depart(instance, hold);
      },
      /** Ends an instance that has nothing to do here; `false` when it stays. */
      passivate(slot: number) {
        const instance = instances.get(slot);
        if (instance === undefined || !isAtRest(instance)) return false;
        instance.mirror();
        instance.stop();
        left(instance);
        tellAll();
        return true;
      },
      hurry: () => departures.hurry(),
      quiet: () => !turns.busy && !peers.busy && !commits.busy,
      stay(slot: number) {
        const instance = instances.get(slot);
        if (instance !== undefined) departures.stay(instance);
      },
      watch: (slot: number, watched: boolean) => instances.get(slot)?.watch(watched),
      // What was emitted on the way to a state is told before it.
      snapshot(slot: number) {
        reports.flush();
        const snapshot = hosted(slot).snapshot();
        return isClonable(snapshot) ? snapshot : toClonable(snapshot);
      },
      persist(slot: number) {
        reports.flush();
        return hosted(slot).persist();
      },
      putOff: (slot: number) => hosted(slot).putOff(host),
      credit: (tag: number, taken: number) => streams.credit(tag, taken),
      can: (slot: number, event: AnyEventObject) => hosted(slot).can(event),
      join: (id: number, port: MessagePort) => peers.join(id, adopt(port, id)),
      admit: (admission: Admission) => peers.admit(admission),
      dismiss: (link: number, wait: boolean) => peers.dismiss(link, wait),
      severed: (severance: Severance) => peers.severed(severance),
      chunks: (chunks: Chunks) => hostStreams.take(chunks),
      used: (answers: UsedCapabilities) => capabilityCalls.take(answers),
      outcomes: (outcomes: Outcomes) => asks.take(outcomes),
      heard(reports: number) {
        untold -= reports;
        if (untold < MAX_UNTOLD) turns.resume();
      },
    },
    lists: LISTS,
    mailbox: ['deliver', 'credit', 'activateAll'],
    told: ['chunks', 'used', 'outcomes', 'heard'],
    onViolation: (what) => warn(`the thread refused ${what}`),
    // The host decides, because it knows what the frame held.
    onLost: () => void callHost('unread').catch(() => {}),
    repair: (answers) =>
      Array.isArray(answers) ? clonableAck(answers as unknown as Ack) : refuseSnapshot(answers),
    transferablesOf: movingWith,
  });

  const capabilityCalls = new CapabilityCalls({
    tell: (uses) => link.tell([], 'uses' satisfies HostMethod, uses),
    giveUp: (n) => void callHost('giveUp', n).catch(() => {}),
    next: () => (uses += 1),
    trace: currentTrace,
  });

  const hostStreams = new HostStreams({
    call: (moving, method, ...args) => link.callWith(moving, method, ...args),
    tell: (method, ...args) => link.tell([], method, ...args),
  });

  /** Throws at once when an answer cannot be cloned. */
  function tellHost(ack: Ack, moving: readonly unknown[]): void {
    link.tell(moving, 'acknowledge' satisfies HostMethod, ack);
  }

  function callHost(method: HostMethod, ...args: readonly unknown[]): Promise<unknown> {
    return link.call(method, ...args);
  }

  /** Has the host do something until the signal aborts. */
  async function onBehalf(
    method: HostMethod,
    args: readonly unknown[],
    signal: AbortSignal,
  ): Promise<unknown> {
    signal.throwIfAborted();
    uses += 1;
    const n = uses;
    const giveUp = (): void => void callHost('giveUp', n).catch(() => {});
    signal.addEventListener('abort', giveUp, { once: true });
    try {
      const trace = currentTrace();
      return await callHost(method, ...args, n, ...(trace ? [trace] : []));
    } finally {
      signal.removeEventListener('abort', giveUp);
    }
  }

  const bridging: BridgeThread = {
    turns,
    reports,
    streams,
    logReports,
    lateActs,
    peers,
    capabilityCalls,
    hostStreams,
    nextUse: () => (uses += 1),
    callHost,
    callWith: (moving, method, ...args) => link.callWith(moving, method, ...args),
    onBehalf,
    left,
    // It rests until its commit is over, and then for as long again: so it has the store for half of the time at most.
    rest(instance, outlet) {
      const [goOn, from] = [turns.rest(instance), now()];
      commits.after(outlet, () => {
        const tookMs = now() - from;
        if (tookMs < 1) goOn();
        else clock.setTimeout(goOn, Math.min(tookMs, LONGEST_REST_MS));
      });
    },
  };

  /** What the agent's module exports for it, imported once a thread. */
  async function loadOnce(of: AgentModule, name: string): Promise<LoadedAgent> {
    const known = knownOf(of);
    if (known !== undefined) return known;
    const agent = await load(of.moduleUrl, of.exportName, name);
    loaded.set(keyOf(of), agent);
    return agent;
  }

  /** What the agent's module exports for it, when the thread has loaded it. */
  function knownOf(of: AgentModule): LoadedAgent | undefined {
    const key = keyOf(of);
    const known = loaded.get(key);
    const agent = known?.latest();
    if (agent !== undefined && agent !== known) loaded.set(key, agent);
    return agent;
  }

  async function activate(request: ActivateRequest): Promise<void> {
    loading.set(request.slot, request);
    let isStill = true;
    const agent = await loadOnce(request, request.address).finally(() => {
      isStill = isWanted(request);
    });
    if (!isStill) throw stoppedBefore(request);
    start(request, agent);
  }

  /** Whether the instance was not stopped while it waited to be started; from now on it does not wait. */
  function isWanted(request: ActivateRequest): boolean {
    if (loading.get(request.slot) !== request) return false;
    loading.delete(request.slot);
    return true;
  }

  /**
   * Starts instances whose modules are loaded, and returns what has become of each. What takes long is interrupted for the
   * timers and messages that are due.
   */
  function startAll(
    requests: readonly ActivateRequest[],
    outcomes: StartOutcome[],
  ): StartOutcome[] | Promise<StartOutcome[]> {
    const began = now();
    while (outcomes.length < requests.length) {
      outcomes.push(outcomeOf(requests[outcomes.length] as ActivateRequest));
      if (now() - began > SLICE_MS && outcomes.length < requests.length) {
        return new Promise((resolve) => {
          (loop ?? eventLoop).immediate(() => resolve(startAll(requests, outcomes)));
        });
      }
    }
    return outcomes;
  }

  function outcomeOf(request: ActivateRequest): StartOutcome {
    try {
      const agent = knownOf(request);
      if (!isWanted(request)) throw stoppedBefore(request);
      // The host starts together only those whose modules the thread has said it has loaded.
      if (agent === undefined) throw new Error(`the module of ${request.address} is not loaded`);
      start(request, agent);
      return 0;
    } catch (error) {
      return encodeError(error);
    }
  }

  /** Starts an instance. Throws the error of a failed start. */
  function start(request: ActivateRequest, { logic, contract, migrations }: LoadedAgent): void {
    const { slot, address, incarnation } = request;
    const given = decoded(request);
    const begun = migrated(given, logic, migrations);
    const changed = changedVersion(given, begun, logic);
    const self = { address, threadId: data.threadId, thread, incarnation };
    const bridge = new InstanceBridge(bridging, slot, self);
    const outlet =
      request.durable === true && request.behind !== true
        ? new Outlet({
            slot,
            commits,
            asks,
            peers,
            letter,
            over: () => bridge.over,
            changed: () => bridge.changed,
            touched: () => bridge.touched(),
          })
        : undefined;
    if (request.inspected === true) isInspected = true;
    if (outlet !== undefined) {
      commitsStates = true;
      bridge.letsOutBy(outlet);
    }
    const instance = new HostedInstance({
      // What a migration has made was never told.
      request: begun === given ? begun : { ...begun, recorded: false },
      changed,
      logic,
      contract,
      bridge,
      owner: bridge,
      reports,
      outlet,
      clock: machineClock,
      now,
      inspection,
      progress,
    });
    bridge.made(instance);
    instances.set(slot, instance);
    const inflow = createInflow({ key: slot, slot, instance, source: host, from: undefined });
    inflows.set(slot, inflow);
    // The instance may answer these asks as it starts.
    if (request.asks !== undefined) {
      turns.know(host);
      instance.takeOver(request.asks, host);
    }
    try {
      instance.start();
    } catch (error) {
      // Ends whatever the instance began before its start failed.
      instance.abandon();
      left(instance);
      throw error;
    }
    if (instance.hasSteps) turns.wake(instance);
    // Whoever hears of the start may rely on its being committed.
    if (request.durable === true) reports.flush();
  }

  /** An error that one instance throws at its end must not keep the others from theirs. */
  function deactivate(slot: number): void {
    loading.delete(slot);
    const instance = instances.get(slot);
    if (instance === undefined) return;
    try {
      instance.stop();
    } catch (error) {
      const what = error instanceof Error ? error.message : 'something that is not an Error';
      warn(`${instance.address} threw as it was stopped: ${what}`);
    } finally {
      left(instance);
    }
  }

  function left(instance: HostedInstance): void {
    if (instances.get(instance.slot) === instance) {
      instances.delete(instance.slot);
      inflows.delete(instance.slot);
    }
    departures.left(instance);
    streams.left(instance);
    turns.leave(instance);
    peers.vacate(instance);
    peers.left(instance.self);
  }

  function hosted(slot: number): HostedInstance {
    const instance = instances.get(slot);
    if (instance !== undefined) return instance;
    // The instance has ended since it was asked: the host is told of that first, and asks the next incarnation, if
    // there is one.
    tellAll();
    throw new HoldfastError('AGENT_STOPPED', 'the instance that was asked has ended; spawn it again');
  }

  return {
    uncaught(thrown) {
      reports.add(REPORT.uncaught, -1, encodeError(thrown));
      reports.flush();
    },
    end() {
      for (const instance of [...instances.values()].toReversed()) {
        try {
          instance.abandon();
        } catch {
          // Nobody is left to be told.
        }
      }
      instances.clear();
      if (threadState().log === log) threadState().log = undefined;
    },
  };
}

/** The module of an agent, and its export. */
type AgentModule = Pick<ActivateRequest, 'moduleUrl' | 'exportName'>;

/** A URL has no space in it. */
function keyOf({ moduleUrl, exportName }: AgentModule): string {
  return `${moduleUrl} ${exportName}`;
}

function stoppedBefore({ address }: ActivateRequest): HoldfastError {
  return new HoldfastError('AGENT_STOPPED', `${address} was stopped before it had started`);
}

/** The request with its state, where that is encoded. */
function decoded({ state, ...request }: ActivateRequest): ActivateRequest {
  return state === undefined ? request : { ...request, ...decodeState(state) };
}

function refuseSnapshot(state: unknown): never {
  throw new HoldfastError(
    'REPLY_UNCLONABLE',
    `the snapshot cannot be cloned (${whyUnclonable(state)}); keep functions, actors of elsewhere and sockets out of ` +
      'the context, and name each child’s logic by a string src in setup({ actors })',
  );
}

/** The host's clock, read in this thread: both count from the start of the machine. */
function hostTime(origin: number): () => number {
  const offset = Number(process.hrtime.bigint()) / 1e6 - performance.now() - origin;
  return () => performance.now() + offset;
}
