import type { Clock } from '../../base/clock.ts';
import { HoldfastError } from '../../base/errors.ts';
import type { Logger } from '../../base/logger.ts';
import { isReserved } from '../../base/reserved-types.ts';
import type { DeadLetter } from '../../dead-letters/dead-letters.ts';
import { refusal } from '../../dead-letters/refusal.ts';
import type { AgentSchemas } from '../../wire/agent-schemas.ts';
import type { Deed } from './deed.ts';
import type { PageActions } from './local-inspector.ts';

interface Instance {
  readonly agent: string;
  deliver(event: { type: string }): Promise<void>;
  stop(): Promise<void>;
  resume(): Promise<void>;
}

/** The runtime, as far as the page may change it. */
export interface ActedOn {
  readonly clock: Pick<Clock, 'now'>;
  readonly logger: Logger;
  get(address: string): Instance | undefined;
  schemas(agent: string): Promise<AgentSchemas>;
  listDeadLetters(): DeadLetter[];
  replay(id: string): Promise<void>;
  recycleThread(threadId: string, n: number): Promise<object>;
  profileThread(threadId: string, n: number, ms: number): Promise<object>;
  refreshSecret(id: string, provider?: string): Promise<void>;
}

/** The latest letters that the page gets. */
export const mostLetters = 200;
/** Milliseconds that a CPU profile takes: with a sample each millisecond enough to see what a thread does. */
const PROFILE_MS = 5000;

/** What the page may do. The log has a line for each of it: who, what, and what came of it. */
export function pageActions(system: ActedOn): PageActions {
  const audited = auditTo(system);
  const instanceAt = (address: string): Instance => {
    const found = system.get(address);
    if (found === undefined) throw new HoldfastError('AGENT_STOPPED', `no instance is at ${address} now`);
    return found;
  };
  const replay = (id: string): Promise<void> =>
    audited({ deed: 'replay', deadLetter: id }, () => system.replay(id));

  async function act(deed: Deed): Promise<object | undefined> {
    switch (deed.deed) {
      case 'stop':
        await instanceAt(deed.address).stop();
        return undefined;
      case 'resume':
        await instanceAt(deed.address).resume();
        return undefined;
      case 'recycle':
        return system.recycleThread(deed.threadId, deed.n);
      case 'profile':
        return { profile: await system.profileThread(deed.threadId, deed.n, deed.ms ?? PROFILE_MS) };
      case 'refresh':
        await system.refreshSecret(deed.id, deed.provider);
        return undefined;
      case 'replay-all':
        break;
    }
    return replayAll(system.listDeadLetters().slice(-mostLetters), replay);
  }

  return {
    send: (address, event) =>
      audited({ deed: 'send', address, event: event.type }, async () => {
        const instance = instanceAt(address);
        if (isReserved(event.type)) throw refusal(address, 'reserved');
        // Whoever sends by hand wants to know what became of it.
        await instance.deliver(event);
      }),
    async accepts(address) {
      const { accepts } = await system.schemas(instanceAt(address).agent);
      return accepts;
    },
    replay,
    act: (deed) => audited({ ...deed }, () => act(deed)),
  };
}

/** In their order, one after the other: a letter may rest on the one before it. */
async function replayAll(
  letters: readonly DeadLetter[],
  replay: (id: string) => Promise<void>,
): Promise<{ readonly replayed: number; readonly failed: number; readonly why?: string }> {
  let [replayed, failed] = [0, 0];
  let why: string | undefined;
  for (const { id } of letters) {
    try {
      await replay(id);
      replayed += 1;
    } catch (error) {
      if (!(error instanceof HoldfastError)) throw error;
      failed += 1;
      why ??= `${error.code}: ${error.message}`;
    }
  }
  return { replayed, failed, ...(why !== undefined && { why }) };
}

type Audited = <T>(what: object, run: () => Promise<T>) => Promise<T>;

function auditTo({ logger, clock }: Pick<ActedOn, 'logger' | 'clock'>): Audited {
  return async (what, run) => {
    const began = clock.now();
    let outcome = 'ok';
    try {
      return await run();
    } catch (error) {
      outcome = error instanceof HoldfastError ? error.code : 'ERROR';
      throw error;
    } finally {
      const ms = Math.round(clock.now() - began);
      logger.info(
        { by: 'inspector', ...what, outcome, ms },
        'somebody at the page of the inspector did this',
      );
    }
  };
}
