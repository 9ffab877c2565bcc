import type { AnyEventObject } from 'xstate';
import { threadId as nodeThreadId, type MessagePort } from 'node:worker_threads';
import { HoldfastError } from '../errors.ts';
import { isClonable } from '../wire/errors.ts';
import { openLink } from '../wire/link.ts';
import { openProgress } from '../wire/progress.ts';
import { REPORT, type ActivateRequest, type HostMethod, type ThreadData } from '../wire/protocol.ts';
import { toClonable } from '../wire/snapshot.ts';
import type { Clock } from '../xstate/xstate5.ts';
import type { EventLoop } from './event-loop.ts';
import { HostedInstance } from './hosted-instance.ts';
import { loadLogic } from './load-logic.ts';
import type { Batch } from '../mailbox/batch.ts';
import type { Ack } from '../mailbox/outbox.ts';
import { Reports } from './reports.ts';
import { clonableAck } from './acks.ts';
import { Turns } from './turns.ts';
import type { HostBridge } from './thread-state.ts';

const systemClock: Clock = {
  setTimeout: (run: () => void, ms: number): unknown => setTimeout(run, ms),
  clearTimeout: (handle: unknown): void => clearTimeout(handle as NodeJS.Timeout),
};

/** What a thread is surrounded by; tests bring their own. */
export interface ThreadSurroundings {
  /** Times the delays of its agents. */
  readonly clock?: Clock;
  readonly loop?: EventLoop;
  /** Node's id of the thread. */
  readonly thread?: number;
  /** Milliseconds of the host's clock. */
  readonly now?: () => number;
  /** Imports an agent's module and returns the logic it exports. */
  readonly load?: typeof loadLogic;
}

export interface Thread {
  /** Ends what runs in it. A worker thread just ends; what shares a real thread with others has to be ended. */
  end(): void;
}

/**
 * Everything a thread does: it hosts instances, runs their turns and reports what became of them. Several of them
 * may share one real thread.
 */
export function startThread(data: ThreadData, surroundings: ThreadSurroundings = {}): Thread {
  const { clock = systemClock, loop, thread = nodeThreadId, load = loadLogic } = surroundings;
  const { now = hostTime(data.clockOrigin) } = surroundings;
  const instances = new Map<number, HostedInstance>();
  let delivered = 0;
  const reports = new Reports((items) => void callHost('report', items).catch(() => {}), loop);
  const turns = new Turns({
    instances,
    progress: openProgress(data.progress),
    now,
    beforeAck: reports.flush,
    acknowledge(ack) {
      try {
        void callHost('acknowledge', ack).catch(() => {});
      } catch {
        void callHost('acknowledge', clonableAck(ack)).catch(() => {});
      }
    },
    expired: ({ slot }, event) => reports.add(REPORT.expired, slot, event),
    loop,
  });

  const link = openLink(data.port as MessagePort, {
    expose: {
      hello: () => thread,
      deliver(batch: Batch, n: number = delivered) {
        if (n !== delivered) throw new Error(`batch ${delivered} was lost on its way, ${n} came`);
        delivered += 1;
        return turns.deliver(batch);
      },
      activate,
      deactivate(slot: number) {
        const instance = instances.get(slot);
        if (instance !== undefined) {
          instance.stop();
          left(instance);
        }
        // Before the answer: the slot is somebody else's as soon as the host has it.
        reports.flush();
      },
      watch: (slot: number, watched: boolean) => instances.get(slot)?.watch(watched),
      snapshot(slot: number) {
        const snapshot = hosted(slot).snapshot();
        return isClonable(snapshot) ? snapshot : toClonable(snapshot);
      },
      persist: (slot: number) => hosted(slot).persist(),
      can: (slot: number, event: AnyEventObject) => hosted(slot).can(event),
    },
    onViolation: (what) => reports.add(REPORT.warning, -1, `the thread refused ${what}`),
    repair: (answers) => (Array.isArray(answers) ? clonableAck(answers as unknown as Ack) : refuseSnapshot()),
  });

  function callHost(method: HostMethod, ...args: readonly unknown[]): Promise<unknown> {
    return link.call(method, ...args);
  }

  async function activate(request: ActivateRequest): Promise<void> {
    const logic = await load(request.moduleUrl, request.exportName, request.address);
    const { slot, address, incarnation } = request;
    const bridge: HostBridge = {
      self: { address, threadId: data.threadId, thread, incarnation },
      capability: (name, input) => callHost('capability', slot, incarnation, name, input),
      defer: (ask) => void instance.deferred.add(ask),
      answer: (ask, value) => turns.answer(instance, ask, value),
      warn: (message) => reports.add(REPORT.warning, slot, message),
    };
    const ended = (): void => left(instance);
    const wake = (): void => turns.wake(instance);
    const instance: HostedInstance = new HostedInstance({
      request,
      logic,
      bridge,
      reports,
      clock,
      wake,
      ended,
    });
    instances.set(slot, instance);
    try {
      instance.start();
    } catch (error) {
      left(instance);
      throw error;
    }
  }

  function left(instance: HostedInstance): void {
    if (instances.get(instance.slot) === instance) instances.delete(instance.slot);
    turns.leave(instance);
  }

  function hosted(slot: number): HostedInstance {
    const instance = instances.get(slot);
    if (instance === undefined) throw new Error(`no instance runs in slot ${slot}`);
    return instance;
  }

  return {
    end() {
      for (const instance of instances.values()) instance.stop();
      instances.clear();
    },
  };
}

function refuseSnapshot(): never {
  throw new HoldfastError(
    'REPLY_UNCLONABLE',
    'the snapshot cannot be cloned; keep functions, actors of elsewhere and sockets out of the context, and name ' +
      'each child’s logic by a string src in setup({ actors })',
  );
}

/** The host's clock, read in this thread: both count from the start of the machine. */
function hostTime(origin: number): () => number {
  const offset = Number(process.hrtime.bigint()) / 1e6 - performance.now() - origin;
  return () => performance.now() + offset;
}
