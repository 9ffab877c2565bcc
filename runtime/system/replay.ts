import { within, type Clock } from '../base/clock.ts';
import type { DeadLetters } from '../dead-letters/dead-letters.ts';
import { HoldfastError } from '../base/errors.ts';
import type { Instance } from '../instance/instance.ts';
import { refusal } from '../dead-letters/refusal.ts';

/** Deadline of a replay in milliseconds, as for `deliver`. */
const REPLAY_MS = 30_000;

/**
 * Sends the event of a dead letter to the instance that has its address now, and resolves when it was handled. Rejects
 * with `ASK_TIMEOUT` after 30 s; the event stays on its way, and if it fails later, it is that letter again.
 */
export async function replayLetter(
  id: string,
  letters: DeadLetters,
  instanceAt: (address: string) => Instance | undefined,
  clock: Clock,
): Promise<void> {
  const replayed = letters.replay(id, ({ address, event }, begun) => {
    const instance = instanceAt(address);
    if (instance === undefined || instance.over) throw instance?.quarantine ?? refusal(address, 'stopped');
    return instance.inbox.replay(event, begun);
  });
  const late = (): Error =>
    new HoldfastError(
      'ASK_TIMEOUT',
      `the replay of dead letter ${id} was not handled within ${REPLAY_MS} ms; it goes on: see whether it stays listed`,
    );
  await within(clock, REPLAY_MS, replayed, late);
}
