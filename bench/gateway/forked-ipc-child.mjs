import { localActor } from './local-actor.mjs';

const actor = localActor();
process.on('message', async ({ id, event }) => {
  if (id === undefined) actor.send(event);
  else process.send({ id, value: await actor.ask(event) });
});
process.on('disconnect', () => process.exit());
process.send({});
