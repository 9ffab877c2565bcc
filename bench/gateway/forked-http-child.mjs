import { localActor } from './local-actor.mjs';
import { serve } from './serve.mjs';

const actor = localActor();
await serve(() => actor, process.argv[2]);
process.on('disconnect', () => process.exit());
process.send({});
