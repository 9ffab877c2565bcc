import { fromTransition, type AnyEventObject } from 'xstate';
import { replyTo, self } from 'holdfast/agent';

/** What was handled, by address, of all instances that run in this process. */
export function ledger(): Map<string, number[]> {
  const scope = globalThis as { [SLOT]?: Map<string, number[]> };
  return (scope[SLOT] ??= new Map());
}

const SLOT = Symbol.for('holdfast.props.ledger');

/** Writes down what it handles; fails when told to, after having written it down. */
export default fromTransition((state: null, event: AnyEventObject) => {
  if (typeof event['n'] !== 'number') return state;
  const { address = '' } = self() ?? {};
  const handled = ledger().get(address) ?? [];
  handled.push(event['n']);
  ledger().set(address, handled);
  replyTo(event, event['n']);
  if (event.type === 'fail') throw new Error('failed on purpose');
  return state;
}, null);
