import { Ending } from '../base/ending.ts';
import type { SecretsBroker } from './broker.ts';
import type { BodySource } from './capabilities/body-source.ts';
import type { Caller } from './secret-use.ts';

/** A request of the host itself, whose grant adds the secret. */
export interface HostRequest {
  readonly method: string;
  readonly headers: Headers;
  readonly body: string;
  readonly signal: AbortSignal;
}

/** The bytes of an answer that are kept for a reader who is not there yet. */
const AHEAD_BYTES = 65_536;

/**
 * A fetch of the host that is bound to a grant, by the rules and with the scrubbing of `boundFetch`. A redirect is the
 * answer.
 */
export function grantFetch(
  broker: Pick<SecretsBroker, 'stream'>,
  caller: Caller,
  label: string,
): (url: string, request: HostRequest) => Promise<Response> {
  return async (url, { method, headers, body, signal }) => {
    const request = {
      url,
      method,
      headers: Object.fromEntries(headers),
      body: new TextEncoder().encode(body),
      redirect: 'manual',
    };
    const ending = new Ending();
    const end = (): void => ending.end(signal.reason);
    const unheard = (): void => signal.removeEventListener('abort', end);
    signal.addEventListener('abort', end, { once: true });
    if (signal.aborted) end();
    const opening = broker.stream(caller, label, request, ending);
    opening.then(({ over }) => void over.then(unheard), unheard);
    const answer = await opening;
    const { status, statusText } = answer;
    return new Response(answer.body === undefined ? null : streamOf(answer.body), {
      status,
      statusText,
      headers: answer.headers,
    });
  };
}

function streamOf(source: BodySource): ReadableStream<Uint8Array> {
  return new ReadableStream<Uint8Array>(
    {
      start(controller) {
        source.read({
          data(bytes) {
            controller.enqueue(Uint8Array.from(bytes));
            return (controller.desiredSize ?? 0) > 0;
          },
          end(error) {
            if (error === undefined) controller.close();
            else controller.error(error);
          },
        });
      },
      pull: () => source.resume(),
      cancel: (reason) => source.abort(reason),
    },
    { highWaterMark: AHEAD_BYTES, size: ({ byteLength }) => byteLength },
  );
}
