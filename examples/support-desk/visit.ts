import type { Desks } from './desks.ts';
import type { ModelServer } from './model-server.ts';
import { textOf, type Exchange, type Transcript } from './transcript.ts';

/** A log as it should be, and one whose last line has no end. */
const logs = { whole: 'ERROR too hot\nok\nERROR too hot\n', cut: 'ERROR too hot\nok' };

/** Four customers come to the desks. Says what happens, as it does. */
export async function visit(
  desks: Desks,
  model: ModelServer,
  { exchanges, when }: Transcript,
  say: (line: string) => void,
): Promise<void> {
  const ask = async (...[desk, customer, text]: Parameters<Desks['say']>): Promise<void> => {
    const before = exchanges.length;
    await desks.say(desk, customer, text);
    const exchange = exchanges.slice(before).findLast(({ address }) => address === `${desk}/${customer}`);
    if (exchange !== undefined) say(told(exchange));
  };

  // Each customer has an instance, and each desk threads of its own.
  await desks.greet('repairs', 'linus');
  await Promise.all([desks.greet('orders', 'ada'), desks.greet('billing', 'grace')]);
  // The model is busy, and then fails: the SDK in the thread comes again, twice.
  model.refuse(1, 20);
  model.refuse(1, 20, 500);
  await ask('billing', 'grace', 'I am Grace, and I want my money back.');
  await Promise.all([
    ask('orders', 'ada', 'I am Ada. Where is my kettle?'),
    ask('repairs', 'linus', `My teapot counts wrong. Its log:\n${logs.whole}`),
    ask('orders', 'dora', 'Hello?'),
  ]);
  const { text } = await when('orders/dora', 'silence');
  say(`${name('orders/dora')}${text}`);
  say(`${name('')}closed: ${(await when('orders/dora', 'closed')).text}`);

  say(
    '\nAda and Grace are told a story each. Meanwhile the desk of Linus reads his next log, and never comes to its end.',
  );
  const stories = [ask('orders', 'ada', 'Tell me a story.'), ask('billing', 'grace', 'Tell me a story.')];
  await ask('repairs', 'linus', `It still does. Its log:\n${logs.cut}`);
  await when('repairs/linus', 'restarting');
  await ask('repairs', 'linus', 'Hello?');
  await Promise.all(stories);
}

/** The lines of an exchange. */
function told(exchange: Exchange): string {
  const { address, said, tools, tokens, end } = exchange;
  const text = textOf(exchange);
  const short = text.length > 90 ? `${text.slice(0, 60)} …` : text;
  const answer =
    end?.what === 'failed'
      ? `failed: ${end.text.split(' but ')[0]}`
      : `${[...tools, `${tokens.length} tokens`].join(', ')}: ${short}`;
  return `${name(address)}${said.split('\n')[0]}\n${name('')}${answer}`;
}

function name(address: string): string {
  return address.padEnd(15);
}
