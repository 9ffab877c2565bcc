import { McpServer } from '@modelcontextprotocol/server';
import { serveStdio } from '@modelcontextprotocol/server/stdio';
import { z } from 'zod';

/** The order book of the shop, as a server of tools on its input and output. */
const orders = [
  { order: 'T-1001', customer: 'ada', item: 'kettle', price: 49, state: 'shipped, arrives on Thursday' },
  { order: 'T-1002', customer: 'grace', item: 'green tea', price: 12, state: 'delivered' },
  { order: 'T-1003', customer: 'linus', item: 'teapot that counts', price: 89, state: 'delivered' },
];
const anOrder = z.object({
  order: z.string(),
  item: z.string(),
  price: z.number(),
  state: z.string(),
});

function shop(): McpServer {
  const server = new McpServer({ name: 'shop', version: '1.0.0' });
  server.registerTool(
    'find_orders',
    {
      description: 'The orders of a customer.',
      inputSchema: z.object({ customer: z.string() }),
      outputSchema: z.object({ orders: z.array(anOrder) }),
    },
    ({ customer }) => {
      const found = orders.flatMap(({ customer: whose, ...rest }) => (whose === customer ? [rest] : []));
      return said({ orders: found });
    },
  );
  server.registerTool(
    'refund',
    {
      description: 'Gives the price of an order back.',
      inputSchema: z.object({ order: z.string() }),
      outputSchema: anOrder,
    },
    ({ order }) => {
      const found = orders.find((one) => one.order === order);
      if (found === undefined) throw new Error(`There is no order ${order}.`);
      found.state = 'refunded';
      const { customer: _, ...rest } = found;
      return said(rest);
    },
  );
  return server;
}

function said<T extends object>(value: T) {
  return {
    content: [{ type: 'text' as const, text: JSON.stringify(value) }],
    structuredContent: { ...value },
  };
}

serveStdio(shop);
