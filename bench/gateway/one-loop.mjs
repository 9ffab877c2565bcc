// All agents in one event loop.
import { localActor } from './local-actor.mjs';
import { ready, serve } from './serve.mjs';

const actors = new Map(process.argv.slice(2).map((address) => [address, localActor()]));
ready(await serve((address) => actors.get(address), { port: 0, host: '127.0.0.1' }), [process.pid]);
