import { createServer } from 'node:http2';
import * as restate from '@restatedev/restate-sdk';

const counter = restate.object({
  name: 'counter',
  handlers: {
    add: async (ctx) => {
      const count = ((await ctx.get('count')) ?? 0) + 1;
      ctx.set('count', count);
      return count;
    },
    read: restate.handlers.object.shared(async (ctx) => (await ctx.get('count')) ?? 0),
  },
});

const server = createServer(restate.createEndpointHandler({ services: [counter] }));
server.listen(0, '127.0.0.1', () => process.send(server.address().port));
process.once('disconnect', () => process.exit());
