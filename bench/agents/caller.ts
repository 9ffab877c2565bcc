import { createHmac } from 'node:crypto';
import { createActor, fromCallback, fromPromise, toPromise } from 'xstate';
import { answerTo, capability, deferReply } from 'holdfast/agent';
import { asking, type Ask } from '../lib/load.ts';
import type { CallEvent } from './caller-event.ts';

const echo = capability('echo');
const sign = capability<string>('sign.hmac');
const own = fromPromise<string, string>(async ({ input }) =>
  createHmac('sha256', 'a key that is in the thread').update(input).digest('hex'),
);

/** Uses a secret as an agent does, by actors of its own; timed by the loop that times asks, here in the thread. */
export default fromCallback<CallEvent>(({ receive, self: parent }) => {
  receive((event) => {
    // The actor of each call tells its parent that it is done.
    if (event.type !== 'run') return;
    const token = deferReply(event);
    const { kind, inFlight, data, signature } = event;
    const signed = (got: string, n: number): number => {
      if (got !== signature) throw new Error(`call ${n}: not the signature`);
      return n;
    };
    const calls: Record<typeof kind, Ask> = {
      echo: (_to, { n }) =>
        toPromise(createActor(echo, { input: { label: 'echo', args: n }, parent }).start()),
      sign: async (_to, { n }) =>
        signed(
          await toPromise(createActor(sign, { input: { label: 'sign', args: { data } }, parent }).start()),
          n,
        ),
      own: async (_to, { n }) =>
        signed(await toPromise(createActor(own, { input: data, parent }).start()), n),
    };
    asking(calls[kind], { inFlight }).then(
      (sample) => answerTo(token, sample),
      (error: unknown) => answerTo(token, String(error)),
    );
  });
});
