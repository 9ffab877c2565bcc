import type { Acks } from './acks.ts';
import type { OpenAsk } from './thread-state.ts';

/** The origin of an ask, as far as its answer needs it. */
export interface Asker {
  readonly acks: Pick<Acks, 'answered' | 'failed'>;
}

/** An ask that was put off. */
export interface PutOff {
  readonly ask: OpenAsk;
  /** Known when the turn that put it off is over. */
  asker: Asker | undefined;
  /** The incarnation in its token. */
  readonly incarnation: number;
}
