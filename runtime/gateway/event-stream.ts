import type { AgentRef } from '../agent-ref.ts';
import { contained } from '../contained.ts';
import type { Scrubber } from '../secrets/scrubber.ts';
import { plainJson } from './plain-json.ts';
import { snapshotParts } from './routes.ts';

/** What waits for a slow client; more, and it is cut off. It comes again and gets the state as it is then. */
const MOST_WAITING = 1000;
/** Proxies end what is silent for a minute. */
const HEARTBEAT_MS = 15_000;

/**
 * Server-sent events of one instance: `snapshot` with each state, the current one first; `emitted` with each event that it
 * emits; `end` when it has ended.
 */
export function instanceStream(
  ref: AgentRef,
  { scrub }: Pick<Scrubber, 'scrub'>,
  signal: AbortSignal,
  leaving: AbortSignal,
): Response {
  const encoder = new TextEncoder();
  let stop = (): void => {};
  const stream = new ReadableStream<Uint8Array>(
    {
      start(controller) {
        let n = 0;
        let isOpen = true;
        const end = (): void => {
          if (!isOpen) return;
          stop();
          controller.close();
        };
        const write = (event: string, data: unknown): void => {
          n += 1;
          const text = JSON.stringify(plainJson(scrub(data))) ?? 'null';
          controller.enqueue(encoder.encode(`id: ${n}\nevent: ${event}\ndata: ${text}\n\n`));
          if ((controller.desiredSize ?? 0) < -MOST_WAITING) end();
        };
        // What cannot be shown costs this stream, and not the process: nobody is above these listeners.
        const safely = <A extends unknown[]>(run: (...args: A) => void) => contained(run, () => end());
        const snapshot = (found: object): void => write('snapshot', snapshotParts({ ...found }));
        let isFirst = true;
        const states = ref.subscribe({
          // What comes before the answer below is in it.
          next: safely((found: object) => {
            if (!isFirst) snapshot(found);
          }),
          error: safely((error: unknown) => {
            write('end', { error });
            end();
          }),
          complete: safely(() => {
            write('end', {});
            end();
          }),
        });
        const emitted = ref.on(
          '*',
          safely((event: unknown) => write('emitted', event)),
        );
        const alive = safely(() => controller.enqueue(encoder.encode(': alive\n\n')));
        const heartbeat = setInterval(alive, HEARTBEAT_MS);
        stop = () => {
          isOpen = false;
          clearInterval(heartbeat);
          leaving.removeEventListener('abort', end);
          states.unsubscribe();
          emitted.unsubscribe();
        };
        signal.addEventListener('abort', () => stop(), { once: true });
        leaving.addEventListener('abort', end, { once: true });
        ref.snapshot().then(
          safely((found: object) => {
            isFirst = false;
            if (isOpen) snapshot(found);
          }),
          // It has ended, which is told above, or does not answer: the client comes again.
          () => {
            if (isOpen) end();
          },
        );
      },
      cancel: () => stop(),
    },
    new CountQueuingStrategy({ highWaterMark: 1 }),
  );
  return new Response(stream, {
    headers: { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store', 'X-Accel-Buffering': 'no' },
  });
}
