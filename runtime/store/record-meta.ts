import type { SeenSecret } from '../base/seen-secret.ts';
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
  /** What the state knows of the secrets of its agent. */
  readonly secrets?: readonly SeenSecret[] | undefined;
}

/** The text of what most records have: nothing. */
const NONE = '{}';

/** The text of what stands beside the states of one instance: made for a commit, not for each turn that is in it. */
export class MetaText {
  #meta: RecordMeta | undefined;
  #text = NONE;

  of(meta: RecordMeta): string {
    if (meta !== this.#meta) [this.#meta, this.#text] = [meta, metaText(meta)];
    return this.#text;
  }
}

function metaText({ input, putOff, ...rest }: RecordMeta): string {
  const bytes = input instanceof Uint8Array ? Buffer.from(input).toString('base64') : undefined;
  const kept = putOff?.length === 0 ? undefined : putOff;
  return JSON.stringify({ ...rest, putOff: kept, ...(bytes === undefined ? { input } : { bytes }) });
}

/** Reads {@link metaText}; what something else has written there counts for nothing. */
export function metaOf(text: string): RecordMeta {
  if (text === NONE) return {};
  const { quarantine, input, bytes, starts, putOff, secrets } = JSON.parse(text) as Readonly<
    Record<string, unknown>
  >;
  return {
    ...(typeof quarantine === 'object' && quarantine !== null && { quarantine }),
    ...(typeof input === 'string' && { input }),
    ...(isStarts(starts) && { starts }),
    ...(Array.isArray(putOff) && { putOff: putOff as readonly PutOffId[] }),
    ...(Array.isArray(secrets) && { secrets: secrets.filter(isSeen) }),
    ...(typeof bytes === 'string' && { input: new Uint8Array(Buffer.from(bytes, 'base64')) }),
  };
}

function isSeen(value: unknown): value is SeenSecret {
  const { label, versionId, epoch } = (value ?? {}) as Readonly<Record<string, unknown>>;
  const isVersion = versionId === undefined || typeof versionId === 'string';
  return typeof label === 'string' && isVersion && Number.isSafeInteger(epoch);
}

function isStarts(value: unknown): value is Starts {
  return typeof value === 'object' && value !== null && typeof (value as Starts).count === 'number';
}
