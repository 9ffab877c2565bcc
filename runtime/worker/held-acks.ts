import type { Acks } from './acks.ts';

/** What an instance says of the envelopes that it was sent. */
export type AckSink = Pick<Acks, 'handled' | 'answered' | 'failed' | 'refused' | 'expired' | 'deferred'>;

/** The acks of a durable instance to another thread, which leave by `hold` when its state is committed. */
export function heldAcks(acks: AckSink, hold: (run: () => void) => void): AckSink {
  return {
    handled: (...args) => hold(() => acks.handled(...args)),
    answered: (...args) => hold(() => acks.answered(...args)),
    failed: (...args) => hold(() => acks.failed(...args)),
    refused: (...args) => hold(() => acks.refused(...args)),
    expired: (...args) => hold(() => acks.expired(...args)),
    deferred: (...args) => hold(() => acks.deferred(...args)),
  };
}
