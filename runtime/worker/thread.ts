import type { AnyEventObject } from 'xstate';
import { threadId as nodeThreadId, type MessagePort } from 'node:worker_threads';
import { isClonable } from '../wire/errors.ts';
import { openLink, type Link } from '../wire/link.ts';
import { openProgress } from '../wire/progress.ts';
import { REPORT, type ActivateRequest, type HostMethod, type ThreadData } from '../wire/protocol.ts';
import { toClonable } from '../wire/snapshot.ts';
import { HostedInstance } from './hosted-instance.ts';
import { loadLogic } from './load-logic.ts';
import { Reports } from './reports.ts';
import { clonableAnswers, Turns } from './turns.ts';
import type { HostBridge } from './thread-state.ts';

const clock = {
  setTimeout: (run: () => void, ms: number): unknown => setTimeout(run, ms),
  clearTimeout: (handle: unknown): void => clearTimeout(handle as NodeJS.Timeout),
};

/** Everything a thread does: it hosts instances, runs their turns and reports what became of them. */
export function startThread(data: ThreadData): Link {
  const instances = new Map<number, HostedInstance>();
  const reports = new Reports((items) => void callHost('report', items).catch(() => {}));
  const turns = new Turns({
    instances,
    progress: openProgress(data.progress),
    beforeAck: reports.flush,
  });

  const link = openLink(data.port as MessagePort, {
    expose: {
      hello: () => nodeThreadId,
      deliver: (batch: readonly unknown[]) => turns.deliver(batch),
      activate,
      deactivate(slot: number) {
        instances.get(slot)?.stop();
        instances.delete(slot);
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
    repair: (answers) => (Array.isArray(answers) ? clonableAnswers(answers) : refuseSnapshot()),
  });

  function callHost(method: HostMethod, ...args: readonly unknown[]): Promise<unknown> {
    return link.call(method, ...args);
  }

  async function activate(request: ActivateRequest): Promise<void> {
    const logic = await loadLogic(request.moduleUrl, request.exportName);
    const { slot, address, incarnation } = request;
    const bridge: HostBridge = {
      self: { address, threadId: data.threadId, thread: nodeThreadId, incarnation },
      capability: (name, input) => callHost('capability', slot, incarnation, name, input),
    };
    const ended = (): void => void instances.delete(slot);
    const since = turns.delivered;
    const instance = new HostedInstance({ request, logic, bridge, reports, clock, since, ended });
    instances.set(slot, instance);
    try {
      instance.start();
    } catch (error) {
      instances.delete(slot);
      throw error;
    }
  }

  function hosted(slot: number): HostedInstance {
    const instance = instances.get(slot);
    if (instance === undefined) throw new Error(`no instance runs in slot ${slot}`);
    return instance;
  }

  return link;
}

function refuseSnapshot(): never {
  throw new TypeError('the snapshot cannot be cloned: keep functions, actors and sockets out of the context');
}
