import { createActor } from 'xstate';
import { expect, test, vi } from 'vitest';
import caller from './caller.ts';

test('the caller begins no run when the actor of a call is done, which would be timed with the next calls', () => {
  const measured = vi.spyOn(process, 'cpuUsage');
  const actor = createActor(caller).start();
  // XState has the actor of each call tell its parent so.
  actor.send({ type: 'xstate.done.actor.0', output: 1 } as never);
  expect(measured).not.toHaveBeenCalled();
  actor.stop();
});
