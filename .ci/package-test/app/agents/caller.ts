import { boundFetch, replyStream } from 'holdfast/agent';
import { fromTransition } from 'xstate';

/** Answers with how a request to a service fails that is not there. */
export default fromTransition((state: null, event: { type: 'fetch'; url: string }) => {
  const out = replyStream(event);
  boundFetch('model')(event.url).then(
    () => out.end('an answer'),
    (error: Error) => out.end([error.name, (error.cause as { code?: unknown } | undefined)?.code]),
  );
  return state;
}, null);
