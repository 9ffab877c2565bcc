import { replyTo } from 'holdfast/agent';
import { fromTransition, type AnyEventObject } from 'xstate';
import { z } from 'zod';

export const accepts = { quote: z.object({ symbol: z.string() }) };
export const replies = { quote: z.object({ price: z.number() }) };

/** Answers at once, so that what is measured is the way. */
export default fromTransition((state: null, event: AnyEventObject) => {
  replyTo(event, { price: 61_000 });
  return state;
}, null);
