import { fileURLToPath } from 'node:url';
import comedy from 'comedy';

// Its logger tells of everything it does, except in tests.

// A second slash makes a path absolute.
const actorPath = `/${fileURLToPath(new URL('comedy-actor.mjs', import.meta.url))}`;

export const start = async (threads) => {
  const system = comedy.createSystem({ test: true });
  const root = await system.rootActor();
  const actor = await root.createChild(actorPath, {
    mode: 'threaded',
    clusterSize: threads,
  });
  return {
    run: (task) => actor.sendAndReceive('task', task),
    post: (task) => actor.send('task', task),
    stop: () => system.destroy(),
  };
};
