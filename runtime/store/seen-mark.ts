import type { SeenSecret } from '../base/seen-secret.ts';

/** Marks an event of the runtime that tells an instance of a secret: its state knows that when it has handled it. */
export class SeenMark {
  readonly n = 0;
  readonly seen: SeenSecret;

  constructor(seen: SeenSecret) {
    this.seen = seen;
  }
}
