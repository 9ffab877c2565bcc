import { createActor } from 'xstate';
import { quoting } from './quoting.mjs';

/** An actor of the peers: `ask` answers, `send` does not. */
export function localActor() {
  const actor = createActor(quoting((event, value) => event.respond(value))).start();
  return {
    ask: (event) => new Promise((respond) => actor.send({ ...event, respond })),
    send: (event) => setImmediate(() => actor.send(event)),
  };
}
