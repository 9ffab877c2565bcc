import { fromCallback } from 'xstate';
import { answerTo, boundFetch, deferReply, replyTo } from 'holdfast/agent';
import { readBytes, readTokens } from '../lib/model-reading.ts';
import type { ReadingEvent } from './reading-event.ts';

const bound = boundFetch('key');

/** Reads from a model with a key that the host has. */
export default fromCallback<ReadingEvent>(({ receive }) => {
  receive((event) => {
    if (event.type === 'ping') return replyTo(event, 'pong');
    const token = deferReply(event);
    const reading =
      event.type === 'tokens'
        ? readTokens(bound, event.origin, event)
        : readBytes(bound, event.origin, event).then((read) => ({
            ...read,
            external: process.memoryUsage().external,
          }));
    reading.then(
      (read) => answerTo(token, read),
      (error: unknown) => answerTo(token, String(error)),
    );
  });
});
