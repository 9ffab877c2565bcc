import { fromCallback, type AnyEventObject } from 'xstate';
import { agentRef, answerTo, deferReply } from 'holdfast/agent';
import { asking } from '../lib/load.ts';

/** Asks others, from its thread to theirs; timed there by the loop that times asks of the host. */
export interface RunEvent extends AnyEventObject {
  readonly type: 'run';
  readonly others: readonly string[];
  readonly inFlight: number;
  readonly limit: number;
}

export default fromCallback<RunEvent>(({ receive }) => {
  receive((event) => {
    const token = deferReply(event);
    const refs = event.others.map((address) => agentRef(address));
    const { inFlight, limit } = event;
    const ask = async (_to: number, add: { type: 'add'; n: number }): Promise<unknown> => {
      const count = await refs[add.n % refs.length]?.ask(add);
      return typeof count === 'number' ? add.n : count;
    };
    asking(ask, { inFlight, limit, forMs: Infinity }).then(
      ({ value }) => answerTo(token, value),
      (error: unknown) => answerTo(token, String(error)),
    );
  });
});
