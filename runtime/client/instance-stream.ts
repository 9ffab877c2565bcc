import type { AnyActorLogic } from 'xstate';
import { type Call, type Connection, tokenOf, waitAfter } from './connection.ts';
import { Deadline } from './deadline.ts';
import { GatewayError } from './gateway-error.ts';
import { Place } from './place.ts';
import { type ServerEvent, serverEventsOf } from './server-events.ts';
import type { StreamItem } from './types.ts';

/** Whether a stream hears its instance. */
export type StreamStatus = 'connecting' | 'open' | 'reconnecting';

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

/** The gateway holds a connection back while one process takes over from another, for `requestTimeoutMs`: 30 s unless the config says otherwise. */
const CONNECT_MS = 40_000;
/** Three signs of life of the gateway, of which one comes every 15 s. */
const IDLE_MS = 45_000;
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
  { from, only, everyMs, reconnectMs = RECONNECT_MS, signal, onStatus = () => {} }: StreamOptions,
): AsyncGenerator<StreamItem<TLogic>, void, undefined> {
  const place = new Place(from);
  const call = (): Call => ({
    method: 'GET',
    path: `/v1/agents/${address}/stream`,
    query: { ...query, only, everyMs: everyMs?.toString() },
    headers: { accept: 'text/event-stream', 'last-event-id': place.id === '' ? undefined : place.id },
  });
  let [tries, lostAt] = [0, performance.now()];
  onStatus('connecting');
  for (;;) {
    let failure = new GatewayError('FETCH_FAILED', 'the stream broke off', { retryable: true });
    const deadline = new Deadline(CONNECT_MS, unreached, signal);
    try {
      const { streamToken } = connection.options;
      const token = streamToken && (await tokenOf(() => streamToken(address)));
      const response = await connection.open(call(), deadline.signal, token);
      deadline.lift();
      onStatus('open');
      for await (const event of serverEventsOf(response, deadline.signal, IDLE_MS)) {
        [tries, lostAt] = [0, performance.now()];
        if (event.event === 'closed') {
          failure = closedWith(event);
          break;
        }
        for (const item of place.take<TLogic>(event)) yield item;
        if (event.event === 'end') return;
      }
    } catch (error) {
      if (!(error instanceof GatewayError)) throw error;
      failure = error;
    } finally {
      deadline.dispose();
    }
    const waitMs = waitAfter(failure, tries);
    tries += 1;
    if (performance.now() + waitMs - lostAt > reconnectMs || waitMs === Infinity) throw failure;
    onStatus('reconnecting');
    await wait(waitMs, signal);
  }
}

function unreached(): GatewayError {
  return new GatewayError('FETCH_FAILED', `the gateway did not answer within ${CONNECT_MS} ms`, {
    retryable: true,
  });
}

function closedWith({ data }: ServerEvent): GatewayError {
  const { code, message, retryable } = JSON.parse(data) as Pick<
    GatewayError,
    'code' | 'message' | 'retryable'
  >;
  return new GatewayError(code, message, { retryable });
}

async function wait(ms: number, signal: AbortSignal | undefined): Promise<void> {
  const deadline = new Deadline(Infinity, unreached, signal);
  await deadline.wait(ms).finally(() => deadline.dispose());
}
