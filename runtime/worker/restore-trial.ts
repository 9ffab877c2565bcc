import { partsOf } from '../base/address.ts';
import { decodeState, type Encoded } from '../wire/encoded-state.ts';
import { createHostedActor } from '../xstate/xstate5.ts';
import type { LoadedAgent } from './load-logic.ts';
import { migrated } from './migrations.ts';
import { agentRef } from './peer-ref.ts';
import { overStream } from './reply-stream.ts';
import { restoredParts } from './restored.ts';

/** A state as it is kept, and whose it is. */
export interface KeptState {
  readonly address: string;
  readonly version?: string | undefined;
  readonly state: Encoded;
}

const NO_TIME = { setTimeout: () => undefined, clearTimeout() {} };

/**
 * Restores a state as a start does, migrations included, and starts nothing. Returns the parts that would not run.
 *
 * @throws {HoldfastError} `STATE_INCOMPATIBLE`, or whatever the agent's code throws
 */
export function tryRestore(
  { address, version, state }: KeptState,
  { logic, migrations }: LoadedAgent,
  maxIterations: number,
): string[] {
  const { snapshot, timers } = decodeState(state);
  const given = { address, durable: true, snapshot, timers, ...(version !== undefined && { version }) };
  const request = migrated(given, logic, migrations);
  const { ref } = createHostedActor(logic, {
    id: partsOf(address)?.id ?? address,
    sessionId: address,
    snapshot: request.snapshot,
    timers: request.timers,
    agentAt: agentRef,
    overStream,
    clock: NO_TIME,
    maxIterations,
    onParentEvent() {},
  });
  return restoredParts(ref, request, logic);
}
