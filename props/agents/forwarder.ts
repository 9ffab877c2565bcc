import { fromTransition, type AnyEventObject } from 'xstate';
import { agentRef } from 'holdfast/agent';

/** Hands on what it is told to whom it is told. */
export default fromTransition((state: null, event: AnyEventObject) => {
  if (event.type === 'forward')
    agentRef(event['to'] as string).send({ type: 'note', n: event['n'] as number });
  return state;
}, null);
