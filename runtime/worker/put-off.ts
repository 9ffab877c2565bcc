import type { Acks } from './acks.ts';
import type { OpenAsk } from './thread-state.ts';

/** Where an ask came from, as far as its answer needs it. */
export interface Asker {
  readonly acks: Pick<Acks, 'answered' | 'failed'>;
}

/** An ask that was put off. */
export interface PutOff {
  readonly ask: OpenAsk;
  /** Known when the turn that put it off is over. */
  asker: Asker | undefined;
  /** In its token. */
  readonly incarnation: number;
}
