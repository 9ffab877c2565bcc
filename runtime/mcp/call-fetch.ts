import { CUT_OFF, TOO_LARGE } from './mcp-errors.ts';

/** A `fetch` of the host, with the parts of it that are used here. */
export type HostFetch = (url: string, init: HostFetchInit) => Promise<Response>;

export interface HostFetchInit {
  readonly method: string;
  readonly headers: Headers;
  readonly body: string;
  readonly signal: AbortSignal;
}

/** The most bytes of an answer that is none of a tool: a page of the list of tools, with their schemas. */
const OTHER_BYTES = 1024 * 1024;
/** What an answer has besides the result: frames of JSON-RPC, events that keep the connection alive. */
const FRAME_BYTES = 65_536;

/**
 * The requests of the client, each with an end: a body is bounded, a stream that ends without an answer has one in its
 * place, and a request that is cancelled is not waited for. There is no line that stays open while nobody calls.
 */
export function callFetch(send: HostFetch, maxResultBytes: number): typeof fetch {
  /** The requests whose answers have not ended, by their `id`. */
  const open = new Map<unknown, AbortController>();
  return async (input, init = {}) => {
    const { method = 'GET', body, signal } = init;
    if (method !== 'POST' || typeof body !== 'string') return new Response(null, { status: 405 });
    const message = JSON.parse(body) as { id?: unknown; method?: string; params?: { requestId?: unknown } };
    const { id } = message;
    const ending = new AbortController();
    const both = signal ? AbortSignal.any([signal, ending.signal]) : ending.signal;
    const over = (): void => {
      if (open.get(id) === ending) open.delete(id);
    };
    if (id !== undefined) open.set(id, ending);
    try {
      const headers = new Headers(init.headers);
      const response = await send(urlOf(input), { method, headers, body, signal: both });
      // It is the answer to what wants none, and the client would wait for another one until its time is over.
      if (response.status === 202 && id !== undefined && message.method !== undefined) {
        await response.body?.cancel();
        throw new Error('it answered 202, with which it has accepted the call, and no answer follows');
      }
      const most = (message.method === 'tools/call' ? maxResultBytes : OTHER_BYTES) + FRAME_BYTES;
      return bounded(response, { id, most, over });
    } catch (error) {
      over();
      throw error;
    } finally {
      if (message.method === 'notifications/cancelled') open.get(message.params?.requestId)?.abort();
    }
  };
}

function urlOf(input: string | URL | Request): string {
  return input instanceof Request ? input.url : input.toString();
}

interface Bounds {
  readonly id: unknown;
  readonly most: number;
  readonly over: () => void;
}

/** The answer with a body that is no longer than it may be, and that has an end in any case. */
function bounded(response: Response, { id, most, over }: Bounds): Response {
  const { status, statusText, headers, body } = response;
  if (body === null) {
    over();
    return response;
  }
  const isStream = headers.get('content-type')?.startsWith('text/event-stream') === true;
  const reader = (body as ReadableStream<Uint8Array>).getReader();
  let bytes = 0;
  /** For a stream that has had its answer this is one to nobody. */
  const ended = (
    controller: ReadableStreamDefaultController<Uint8Array>,
    code: number,
    error?: unknown,
  ): void => {
    over();
    if (!isStream || id === undefined) {
      if (error === undefined) controller.close();
      else controller.error(error);
      return;
    }
    const answer = { jsonrpc: '2.0', id, error: { code, message: 'the answer did not come to its end' } };
    controller.enqueue(Buffer.from(`\n\ndata: ${JSON.stringify(answer)}\n\n`));
    controller.close();
  };
  const bound = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        try {
          const { done, value } = await reader.read();
          if (done) return ended(controller, CUT_OFF);
          bytes += value.byteLength;
          if (bytes <= most) return controller.enqueue(value);
          void reader.cancel().catch(() => {});
          ended(
            controller,
            TOO_LARGE,
            Object.assign(new Error('the answer is too large'), { code: TOO_LARGE }),
          );
        } catch (error) {
          ended(controller, CUT_OFF, error);
        }
      },
      cancel(reason) {
        over();
        return reader.cancel(reason);
      },
    },
    { highWaterMark: 0 },
  );
  return new Response(bound, { status, statusText, headers });
}
