import { fromTransition } from 'xstate';
import { replyTo } from 'holdfast/agent';
import { burn } from './burn.mjs';

/** Works, and answers with how much. */
export default fromTransition((state: null, event: { type: 'work'; n: number }) => {
  replyTo(event, burn(event.n));
  return state;
}, null);
