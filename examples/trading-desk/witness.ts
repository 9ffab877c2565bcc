import type { Logger } from 'holdfast';
import type { RecordKind, RunRecord } from './record.ts';

/** What the witness needs of a ref: everything it emits and the whole of its state. */
export interface Observable {
  readonly address: string;
  on(type: '*', handler: (event: unknown) => void): unknown;
  snapshot(): Promise<unknown>;
}

export interface NoticeSource {
  on(
    type: 'dead-letter' | 'thread' | 'agent' | 'escalation' | 'secret' | 'warning',
    listener: (notice: unknown) => void,
  ): unknown;
  status(): unknown;
}

/** Writes down all that comes out of the runtime, so that it can be searched for the key at the end. */
export interface Witness {
  readonly logger: Logger;
  watchRuntime(runtime: NoticeSource): void;
  watch(ref: Observable): void;
  note(kind: RecordKind, value: unknown): void;
  /** Asks every watched instance for its state, and the runtime for its status. */
  sample(): Promise<void>;
}

export function createWitness(record: RunRecord, onTrouble: (line: string) => void): Witness {
  const refs: Observable[] = [];
  let runtime: NoticeSource | undefined;
  const log =
    (level: string, trouble: boolean) =>
    (...parts: readonly unknown[]): void => {
      record.add('log', { level, parts });
      if (trouble) onTrouble(parts.filter((part) => typeof part === 'string').join(' '));
    };

  return {
    logger: {
      debug: log('debug', false),
      info: log('info', false),
      warn: log('warn', true),
      error: log('error', true),
    },
    watchRuntime(source) {
      runtime = source;
      for (const type of ['dead-letter', 'thread', 'agent', 'escalation', 'secret', 'warning'] as const)
        source.on(type, (notice) => record.add('notice', { type, notice }));
    },
    watch(ref) {
      refs.push(ref);
      ref.on('*', (event) => record.add('event', { from: ref.address, event }));
    },
    note(kind, value) {
      record.add(kind, value);
    },
    async sample() {
      const snapshots = await Promise.all(refs.map(async (ref) => await ref.snapshot()));
      for (const [index, snapshot] of snapshots.entries())
        record.add('snapshot', { of: refs[index]?.address, snapshot });
      if (runtime) record.add('status', runtime.status());
    },
  };
}
