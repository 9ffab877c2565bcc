import type { Asked, Turn } from './model/script.ts';

/** What the model of this example says, to whom it is asked by: three customers, and a colleague who wants a summary. */
export function answerOf({ text, tools, toolResult }: Asked): Turn {
  if (tools.length === 0) return saying('The customer asked where an order is, was told, and said no more.');
  if (toolResult !== undefined) return afterTool(toolResult);
  if (text.includes('Where is')) return calling('find_orders', { customer: nameIn(text) });
  if (text.includes('money back')) return calling('find_orders', { customer: nameIn(text) });
  if (text.includes('log:')) return calling('read_log', { log: text.slice(text.indexOf('log:') + 4) });
  if (text.includes('story')) return saying(STORY);
  return saying('Hello. What can I do for you?');
}

/** The tools say JSON; which one has spoken can be seen of it. */
function afterTool(result: string): Turn {
  const said = JSON.parse(result) as {
    orders?: { order: string; item: string; state: string }[];
    order?: string;
    price?: number;
    errors?: number;
  };
  if (said.errors !== undefined) return saying(`Your teapot has had ${said.errors} errors. Descale it.`);
  if (said.order !== undefined)
    return saying(`I have given you ${said.price} euros back for ${said.order}. I am sorry for the tea.`);
  const [first] = said.orders ?? [];
  if (first === undefined) return saying('I do not find an order of yours.');
  if (first.state === 'delivered') return calling('refund', { order: first.order });
  return saying(`Your ${first.item}, order ${first.order}: ${first.state}.`);
}

function nameIn(text: string): string {
  return /I am (\w+)/.exec(text)?.[1]?.toLowerCase() ?? '';
}

function calling(name: string, args: object): Turn {
  return { tokens: [], call: { name, args } };
}

function saying(text: string): Turn {
  // Each word with the space before it, as tokens of most models are.
  return { tokens: text.match(/\s*\S+/g) ?? [] };
}

/** Long enough that a desk can get stuck, be found and be started again while it is told. */
export const STORY: string = Array.from(
  { length: 60 },
  (_, n) => `Leaf ${n + 1} fell into the pot and said nothing.`,
).join(' ');
