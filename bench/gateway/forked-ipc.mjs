// A process for each agent, and one in front of them that speaks to them over the channel of `fork`.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { ready, serve } from './serve.mjs';

const child = new URL('./forked-ipc-child.mjs', import.meta.url);

const actors = new Map();
const pids = [process.pid];
for (const address of process.argv.slice(2)) {
  const forked = fork(child);
  pids.push(forked.pid);
  const waiting = new Map();
  let asked = 0;
  forked.on('message', ({ id, value }) => {
    waiting.get(id)?.(value);
    waiting.delete(id);
  });
  actors.set(address, {
    isReady: once(forked, 'message'),
    ask: (event) =>
      new Promise((resolve) => {
        waiting.set((asked += 1), resolve);
        forked.send({ id: asked, event });
      }),
    send: (event) => forked.send({ event }),
  });
}
for (const { isReady } of actors.values()) await isReady;
ready(await serve((address) => actors.get(address), { port: 0, host: '127.0.0.1' }), pids);
process.once('SIGTERM', () => process.exit());
