import type { AnyActorLogic } from 'xstate';
import type { Call, Connection } from './connection.ts';
import { Place } from './place.ts';
import { resumable, type StreamStatus } from './resumable.ts';
import type { StreamItem } from './types.ts';

/** How to follow an instance. */
export interface StreamOptions {
  /** The `id` of the last item that was received, to go on from there. Default: what is emitted from now on. */
  readonly from?: string;
  /** `snapshot`: no emitted events; `emitted`: no states. Default: both. */
  readonly only?: 'snapshot' | 'emitted';
  /** Milliseconds between two states at least; the last one always comes. Default: 100. */
  readonly everyMs?: number;
  /** Milliseconds for which a lost connection is tried again; `Infinity` for no limit. Default: two minutes. */
  readonly reconnectMs?: number;
  /** Ends the stream, whose iteration rejects with the reason. */
  readonly signal?: AbortSignal;
  /** Called when the connection comes and goes. */
  readonly onStatus?: (status: StreamStatus) => void;
}

/** Longer than an instance's events are kept without anybody who listens, which is a minute. */
const RECONNECT_MS = 120_000;

/**
 * Follows an instance over as many connections as it takes. What is emitted is given once and in order; where that
 * cannot be, a `gap` says so. Ends after `end`.
 */
export async function* instanceStream<TLogic extends AnyActorLogic>(
  connection: Connection,
  address: string,
  query: Call['query'],
  { from, only, everyMs, reconnectMs = RECONNECT_MS, signal, onStatus }: StreamOptions,
): AsyncGenerator<StreamItem<TLogic>, void, undefined> {
  const place = new Place(from);
  const { streamToken } = connection.options;
  const events = resumable(connection, {
    call: () => ({
      method: 'GET',
      path: `/v1/agents/${address}/stream`,
      query: { ...query, only, everyMs: everyMs?.toString() },
      headers: { accept: 'text/event-stream', 'last-event-id': place.id === '' ? undefined : place.id },
    }),
    streamToken: streamToken && (() => streamToken(address)),
    isLast: ({ event }) => event === 'end',
    reconnectMs,
    signal,
    onStatus,
  });
  for await (const event of events) yield* place.take<TLogic>(event);
}
