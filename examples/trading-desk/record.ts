import type { Recorded } from './canary.ts';

export type RecordKind = 'event' | 'reply' | 'snapshot' | 'log' | 'notice' | 'status' | 'output';

/** Keeps a text of everything that came out of the runtime, to be searched at the end. */
export interface RunRecord {
  add(kind: RecordKind, value: unknown): void;
  readonly entries: readonly Recorded[];
  counts(): Map<string, number>;
}

export function createRecord(): RunRecord {
  const entries: Recorded[] = [];
  return {
    entries,
    add(kind, value) {
      entries.push({ kind, text: textOf(value) });
    },
    counts() {
      const counts = new Map<string, number>();
      for (const { kind } of entries) counts.set(kind, (counts.get(kind) ?? 0) + 1);
      return counts;
    },
  };
}

/** All text within a value, also what JSON would drop: errors, maps, sets, bytes, functions, cycles. */
export function textOf(value: unknown): string {
  if (typeof value === 'string') return value;
  const seen = new WeakSet<object>();
  return (
    JSON.stringify(value, function visit(this: unknown, key: string, converted: unknown): unknown {
      // `converted` went through toJSON, which for a Buffer hides what it is.
      const original = (this as Record<string, unknown>)[key];
      if (typeof converted === 'bigint' || typeof converted === 'function' || typeof converted === 'symbol')
        return String(converted);
      if (typeof original !== 'object' || original === null) return converted;
      if (seen.has(original)) return '[above]';
      seen.add(original);
      if (ArrayBuffer.isView(original)) return bytesOf(original);
      if (original instanceof ArrayBuffer) return bytesOf(new Uint8Array(original));
      if (original instanceof Error)
        return [original.name, original.message, original.stack, original.cause, Object.entries(original)];
      if (original instanceof Map) return [...original.entries()];
      if (original instanceof Set) return [...original];
      return converted;
    }) ?? ''
  );
}

function bytesOf(view: ArrayBufferView): { bytes: number[]; text: string } {
  const bytes = Buffer.from(view.buffer, view.byteOffset, view.byteLength);
  return { bytes: [...bytes], text: bytes.toString('utf8') };
}
