import type { SecretEvent } from './secret-event.ts';

/** News of secrets on their way to instances: at most two a handle, of its last change and of where it stands. */
export interface RotationNotices {
  /** Delivers the event soon; it replaces an event of the same handle and kind that has not gone out yet. */
  push(event: SecretEvent, notify: (event: SecretEvent) => void): void;
  /** Forgets events that have not gone out. */
  clear(): void;
}

/** @param warn called when a listener throws: the other listeners must still hear, and the secrets actor must go on */
export function createRotationNotices(warn: (message: string) => void): RotationNotices {
  const waiting = new Map<string, { event: SecretEvent; notify: (event: SecretEvent) => void }>();

  const flush = (): void => {
    const batch = [...waiting.values()];
    waiting.clear();
    for (const { event, notify } of batch) {
      try {
        notify(event);
      } catch {
        warn(`A listener for ${event.handle} threw; the instance may not know of epoch ${event.epoch}.`);
      }
    }
  };

  return {
    push(event, notify) {
      if (waiting.size === 0) queueMicrotask(flush);
      // An agent must hear of a new version even when that is stale or gone again at once.
      const slot = `${event.type === 'secret.rotated'} ${event.handle}`;
      const earlier = waiting.get(slot)?.event.previousVersionId;
      waiting.delete(slot);
      waiting.set(slot, {
        // The agent saw the version before the first of them.
        event: earlier === undefined ? event : { ...event, previousVersionId: earlier },
        notify,
      });
    },
    clear() {
      waiting.clear();
    },
  };
}
