import { tool } from 'ai';
import { mcpTool } from 'holdfast/agent';
import { z } from 'zod';
import { conversation } from './conversation.ts';

export { accepts } from './conversation.ts';

/** Says where an order is. */
export default conversation({
  instructions: 'You say where orders of a tea shop are. Be brief.',
  tools: {
    find_orders: tool({
      description: 'The orders of a customer, by the name of the customer.',
      inputSchema: z.object({ customer: z.string() }),
    }),
  },
  calls: { find_orders: mcpTool('shop', 'find_orders') },
});
