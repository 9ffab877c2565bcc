import type { EncodedState } from './durable-store.ts';
import type { PutOffId } from './kept-ids.ts';

/** What the runtime keeps beside a state. */
export interface RecordMeta {
  /** Why the instance is quarantined, while it is. */
  readonly quarantine?: object | undefined;
  /** The input with which an instance that was done begins anew. */
  readonly input?: EncodedState | undefined;
  /** The asks with an id that it has put off. */
  readonly putOff?: readonly PutOffId[] | undefined;
}

/** The text of what most records have: nothing. */
const NONE = '{}';

export function metaText({ quarantine, input, putOff }: RecordMeta): string {
  if (quarantine === undefined && input === undefined && (putOff ?? []).length === 0) return NONE;
  const bytes = input instanceof Uint8Array ? Buffer.from(input).toString('base64') : undefined;
  return JSON.stringify({ quarantine, putOff, ...(bytes === undefined ? { input } : { bytes }) });
}

/** Reads {@link metaText}; what something else has written there counts for nothing. */
export function metaOf(text: string): RecordMeta {
  if (text === NONE) return {};
  const { quarantine, input, bytes, putOff } = JSON.parse(text) as Readonly<Record<string, unknown>>;
  return {
    ...(typeof quarantine === 'object' && quarantine !== null && { quarantine }),
    ...(typeof input === 'string' && { input }),
    ...(Array.isArray(putOff) && { putOff: putOff as readonly PutOffId[] }),
    ...(typeof bytes === 'string' && { input: new Uint8Array(Buffer.from(bytes, 'base64')) }),
  };
}
