import { openDesks } from './desks.ts';

/** A process with desks whose conversations are kept: `store, customer, text`. It prints what it is answered, and stays. */
const [store = '', customer = '', text = ''] = process.argv.slice(2);
const silent = { debug() {}, info() {}, warn() {}, error() {} };
const desks = await openDesks({ logger: silent, audit() {}, silenceMs: () => 300_000, store });
let answer = '';
desks.follow((seen) => {
  if (seen.what === 'token') answer += seen.text;
  if (seen.what === 'answered') console.log(`answered ${answer}`);
  if (seen.what === 'failed') console.log(`failed ${seen.text}`);
});
await desks.say('orders', customer, text);
setInterval(() => {}, 1000);
