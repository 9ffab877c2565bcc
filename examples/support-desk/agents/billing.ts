import { tool } from 'ai';
import { mcpTool } from 'holdfast/agent';
import { z } from 'zod';
import { conversation } from './conversation.ts';

export { accepts } from './conversation.ts';

/** Gives money back. It may call a tool more than the other desks: openclaw.json says so. */
export default conversation({
  instructions: 'You refund orders of a tea shop when a customer is not happy. Be brief.',
  tools: {
    find_orders: tool({
      description: 'The orders of a customer, by the name of the customer.',
      inputSchema: z.object({ customer: z.string() }),
    }),
    refund: tool({
      description: 'Gives the price of an order back.',
      inputSchema: z.object({ order: z.string() }),
    }),
  },
  calls: { find_orders: mcpTool('shop', 'find_orders'), refund: mcpTool('shop', 'refund') },
});
