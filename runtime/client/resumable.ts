import { type Call, type Connection, tokenOf, waitAfter } from './connection.ts';
import { Deadline } from './deadline.ts';
import { GatewayError } from './gateway-error.ts';
import { type ServerEvent, serverEventsOf } from './server-events.ts';

/** Whether a stream is heard. */
export type StreamStatus = 'connecting' | 'open' | 'reconnecting';

/** A stream that is told over as many connections as it takes. */
export interface Resumable {
  /** The request for the rest, from where the client is by now. */
  readonly call: () => Call;
  /** Gives a stream token for each connection. Default: the token of the connection. */
  readonly streamToken?: (() => string | Promise<string>) | undefined;
  /** Whether the stream is over with the event. */
  readonly isLast: (event: ServerEvent) => boolean;
  /** Takes the head of each answer. */
  readonly onAnswer?: (response: Response) => void;
  /** The milliseconds for which a lost connection is tried again. */
  readonly reconnectMs: number;
  readonly signal?: AbortSignal | undefined;
  readonly onStatus?: ((status: StreamStatus) => void) | undefined;
}

/**
 * The gateway holds a connection back while one process takes over from another, for `requestTimeoutMs`: 30 s unless the
 * config says otherwise.
 */
const CONNECT_MS = 40_000;
/** Three signs of life of the gateway, of which one comes every 15 s. */
const IDLE_MS = 45_000;

/**
 * The events of a stream until its last one, over as many connections as it takes. Rejects with the reason of the signal,
 * and with a {@link GatewayError} when the stream cannot be had again.
 */
export async function* resumable(
  connection: Connection,
  { call, streamToken, isLast, onAnswer, reconnectMs, signal, onStatus }: Resumable,
): AsyncGenerator<ServerEvent, void, undefined> {
  let [tries, lostAt] = [0, performance.now()];
  onStatus?.('connecting');
  for (;;) {
    let failure = new GatewayError('FETCH_FAILED', 'the stream broke off', { retryable: true });
    const deadline = new Deadline(CONNECT_MS, unreached, signal);
    try {
      const token = streamToken && (await tokenOf(streamToken));
      const response = await connection.open(call(), deadline.signal, token);
      deadline.lift();
      onAnswer?.(response);
      onStatus?.('open');
      for await (const event of serverEventsOf(response, deadline.signal, IDLE_MS)) {
        [tries, lostAt] = [0, performance.now()];
        if (event.event === 'closed') {
          failure = closedWith(event);
          break;
        }
        yield event;
        if (isLast(event)) return;
      }
    } catch (error) {
      if (!(error instanceof GatewayError)) throw error;
      failure = error;
    } finally {
      deadline.dispose();
    }
    const waitMs = waitAfter(failure, tries);
    tries += 1;
    if (waitMs === Infinity || performance.now() + waitMs - lostAt > reconnectMs) throw failure;
    onStatus?.('reconnecting');
    await wait(waitMs, signal);
  }
}

function unreached(): GatewayError {
  return new GatewayError('FETCH_FAILED', `the gateway did not answer within ${CONNECT_MS} ms`, {
    retryable: true,
  });
}

/** The gateway ends a stream, with the reason. */
function closedWith({ data }: ServerEvent): GatewayError {
  const { code, message, retryable } = parsed(data) as Pick<GatewayError, 'code' | 'message' | 'retryable'>;
  return new GatewayError(code, message, { retryable });
}

/**
 * The data of an event.
 *
 * @throws {GatewayError} `FETCH_FAILED` when it is no JSON
 */
export function parsed(data: string): unknown {
  try {
    return JSON.parse(data);
  } catch (cause) {
    throw new GatewayError('FETCH_FAILED', 'the stream is not that of a gateway; check the url', { cause });
  }
}

async function wait(ms: number, signal: AbortSignal | undefined): Promise<void> {
  const deadline = new Deadline(Infinity, unreached, signal);
  await deadline.wait(ms).finally(() => deadline.dispose());
}
