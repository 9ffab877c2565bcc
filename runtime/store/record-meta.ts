import type { EncodedState } from './durable-store.ts';
import type { PutOffId } from './kept-ids.ts';

/** The starts of an instance that it may not have survived. */
export interface Starts {
  readonly count: number;
  /** What the last of them was to begin with. */
  readonly why: 'child' | 'timer' | 'row' | 'call';
}

/** What the runtime keeps beside a state. */
export interface RecordMeta {
  /** Why the instance is quarantined, while it is. */
  readonly quarantine?: object | undefined;
  /** The input with which an instance that was done begins anew. */
  readonly input?: EncodedState | undefined;
  /** Starts that are written down before they happen, until the instance has survived one. */
  readonly starts?: Starts | undefined;
  /** The asks with an id that it has put off. */
  readonly putOff?: readonly PutOffId[] | undefined;
}

/** The text of what most records have: nothing. */
const NONE = '{}';

export function metaText({ quarantine, input, starts, putOff }: RecordMeta): string {
  const isPlain = quarantine === undefined && input === undefined && starts === undefined;
  if (isPlain && (putOff ?? []).length === 0) return NONE;
  const bytes = input instanceof Uint8Array ? Buffer.from(input).toString('base64') : undefined;
  return JSON.stringify({ quarantine, starts, putOff, ...(bytes === undefined ? { input } : { bytes }) });
}

/** Reads {@link metaText}; what something else has written there counts for nothing. */
export function metaOf(text: string): RecordMeta {
  if (text === NONE) return {};
  const { quarantine, input, bytes, starts, putOff } = JSON.parse(text) as Readonly<Record<string, unknown>>;
  return {
    ...(typeof quarantine === 'object' && quarantine !== null && { quarantine }),
    ...(typeof input === 'string' && { input }),
    ...(isStarts(starts) && { starts }),
    ...(Array.isArray(putOff) && { putOff: putOff as readonly PutOffId[] }),
    ...(typeof bytes === 'string' && { input: new Uint8Array(Buffer.from(bytes, 'base64')) }),
  };
}

function isStarts(value: unknown): value is Starts {
  return typeof value === 'object' && value !== null && typeof (value as Starts).count === 'number';
}
