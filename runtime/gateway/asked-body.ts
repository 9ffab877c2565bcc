import { contained } from '../base/contained.ts';
import type { AskedStream } from './asked-stream.ts';

/** Proxies end a connection that is silent for a minute. */
const HEARTBEAT_MS = 15_000;
/** Milliseconds after which a client comes again when its connection has ended. */
const RETRY_MS = 1000;

const encoder = new TextEncoder();
const alive = encoder.encode(': alive\n\n');

/** What one client gets of a stream: the events after the last one that it has, at its own pace, to the end. */
export function askedBody(
  stream: AskedStream,
  from: number,
  signal: AbortSignal,
): ReadableStream<Uint8Array> {
  const { tail } = stream;
  let controller: ReadableStreamDefaultController<Uint8Array> | undefined;
  let after = from;
  let [isWanted, isOver] = [false, false];
  let leave = (): void => {};

  const stop = (): void => {
    if (isOver) return;
    isOver = true;
    clearInterval(heartbeat);
    signal.removeEventListener('abort', stop);
    leave();
  };
  /** Without an `end`, so that the client comes again if it wants more. */
  const close = (): void => {
    if (isOver) return;
    stop();
    controller?.close();
  };
  const give = contained(() => {
    if (!isWanted || isOver) return;
    // What it has not got is kept no more: it hears of that when it comes again.
    const next = after < tail.gone ? undefined : tail.next(after);
    if (next !== undefined) {
      isWanted = false;
      after = next.upTo;
      stream.given(after, next.chunk.length);
      controller?.enqueue(next.chunk);
    } else if (stream.isOver || after < tail.gone) close();
  }, close);
  const heartbeat = setInterval(() => {
    if (!isWanted || isOver) return;
    isWanted = false;
    controller?.enqueue(alive);
  }, HEARTBEAT_MS);

  leave = stream.attach({ more: give, replaced: close }, after);
  signal.addEventListener('abort', stop, { once: true });
  if (signal.aborted) stop();
  return new ReadableStream<Uint8Array>(
    {
      start(found) {
        controller = found;
        // A place to go on from, for a client that receives nothing else.
        found.enqueue(encoder.encode(`retry: ${RETRY_MS}\nid: ${tail.idOf(after)}\n\n`));
      },
      pull() {
        isWanted = true;
        give();
      },
      cancel: stop,
    },
    { highWaterMark: 0 },
  );
}
