import type { SecretEvent } from './secret-event.ts';

/** Rotation events on their way to instances: at most one a handle, the latest. */
export interface RotationNotices {
  /** Delivers soon; an event of the same handle that has not gone out yet is replaced. */
  push(event: SecretEvent, notify: (event: SecretEvent) => void): void;
  /** Forgets what has not gone out. */
  clear(): void;
}

/**
 * @param warn told when a listener throws: the others must still hear, and the secrets actor must go on
 */
export function createRotationNotices(warn: (message: string) => void): RotationNotices {
  const waiting = new Map<string, { event: SecretEvent; notify: (event: SecretEvent) => void }>();

  const flush = (): void => {
    const batch = [...waiting.values()];
    waiting.clear();
    for (const { event, notify } of batch) {
      try {
        notify(event);
      } catch {
        warn(
          `A listener for the rotation of ${event.handle} threw; the instance may not know of epoch ${event.epoch}.`,
        );
      }
    }
  };

  return {
    push(event, notify) {
      if (waiting.size === 0) queueMicrotask(flush);
      const earlier = waiting.get(event.handle)?.event.previousVersionId;
      waiting.set(event.handle, {
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
