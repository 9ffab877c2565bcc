import { untilAborted } from '../base/until-aborted.ts';
import { IN_PARTS, LARGEST_PART, LARGEST_WHOLE, UNASKED } from '../wire/request-bodies.ts';

/** The body of a request, as far as it was read. */
export type RequestBody =
  | { readonly whole: Uint8Array<ArrayBuffer> }
  | {
      /** What was read of it. */
      readonly first: readonly Uint8Array[];
      readonly rest: ReadableStreamDefaultReader<Uint8Array>;
    };

/** The room that the host is asked for, for the body; 0: it is small, and needs none. */
export function roomFor(body: RequestBody | undefined): number {
  if (body === undefined) return 0;
  if (!('whole' in body)) return IN_PARTS;
  return body.whole.byteLength > UNASKED ? body.whole.byteLength : 0;
}

/**
 * Reads a body until it ends, or is too large to be held. Rejects with the reason of the signal as soon as that aborts,
 * whatever the stream waits for.
 */
export async function readAhead(
  body: ReadableStream<Uint8Array>,
  signal: AbortSignal | undefined,
): Promise<RequestBody> {
  const rest = body.getReader();
  if (signal === undefined) return held(rest);
  const stop = (): void => void rest.cancel(signal.reason).catch(() => {});
  signal.addEventListener('abort', stop, { once: true });
  try {
    return await untilAborted(signal, () => held(rest));
  } finally {
    signal.removeEventListener('abort', stop);
  }
}

async function held(rest: ReadableStreamDefaultReader<Uint8Array>): Promise<RequestBody> {
  const first: Uint8Array[] = [];
  let bytes = 0;
  while (bytes <= LARGEST_WHOLE) {
    const { done, value } = await rest.read();
    if (done) return { whole: joined(first, bytes) };
    if (!(value instanceof Uint8Array)) {
      const error = new TypeError('The body of a request is a stream of something that is not bytes.');
      await rest.cancel(error);
      throw error;
    }
    first.push(value);
    bytes += value.byteLength;
  }
  return { first, rest };
}

/** The bytes in parts that have memory of their own, and so can move to the host. */
export function* parts(bytes: Uint8Array): Generator<Uint8Array<ArrayBuffer>> {
  for (let at = 0; at < bytes.byteLength; at += LARGEST_PART) yield bytes.slice(at, at + LARGEST_PART);
}

function joined(chunks: readonly Uint8Array[], bytes: number): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(bytes);
  let at = 0;
  for (const chunk of chunks) {
    whole.set(chunk, at);
    at += chunk.byteLength;
  }
  return whole;
}
