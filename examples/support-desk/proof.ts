import { STORY } from './answers.ts';
import type { ModelServer } from './model-server.ts';
import { textOf, type Transcript } from './transcript.ts';

export interface Proof {
  readonly lines: readonly string[];
  /** What is not as it should be. */
  readonly wrong: readonly string[];
}

/** Looks whether the visit went as it should, and whether the key stayed where it was. `told`: all that was told of the run. */
export function prove(
  { exchanges, first, seen }: Transcript,
  model: ModelServer,
  key: string,
  told: readonly string[],
): Proof {
  const wrong: string[] = [];
  const check = (fine: boolean, what: string): void => void (fine || wrong.push(what));

  const of = (address: string) => exchanges.filter((one) => one.address === address);
  const [refund] = of('billing/grace');
  check(refund?.tools.join() === 'find_orders,refund', 'the refund took other tools');
  check(first('orders/dora', 'closed') !== undefined, 'the desk of a silent customer stayed open');

  const [healthy, stuck, after] = of('repairs/linus');
  check(healthy?.end?.what === 'answered', 'a log that is whole was not read');
  check(stuck?.end?.what === 'failed', 'a desk that is stuck has answered');
  check(first('repairs/linus', 'restarting')?.text === 'hang', 'a desk that is stuck was not found');
  check(after?.end?.what === 'answered', 'a desk that was started again does not answer');
  const began =
    seen.findLast(
      ({ address, what, text }) => address === 'repairs/linus' && what === 'said' && text.includes('still'),
    )?.at ?? Infinity;
  const found = first('repairs/linus', 'restarting')?.at ?? 0;
  const meanwhile = ['orders/ada', 'billing/grace'].map((address) => {
    const story = of(address).find(({ said }) => said.includes('story'));
    check(story !== undefined && textOf(story) === STORY, `the story for ${address} is not whole`);
    const count = story?.tokens.filter(({ at }) => at > began && at < found).length ?? 0;
    check(count > 0, `${address} heard nothing while another desk was stuck`);
    return `${address} ${count}`;
  });

  const asked = model.requests.map(({ headers }) => headers.authorization === `Bearer ${key}`);
  check(asked.every(Boolean), 'a request came without the key');
  const refused = model.requests.flatMap(({ status }) => (status === 200 ? [] : [status]));
  check(refused.join() === '429,500', 'the model did not refuse what it should');
  // A search that finds nothing proves nothing unless it finds what is there.
  check(hasTrace(JSON.stringify(model.requests[0]?.headers), key), 'the search does not find the key');
  const traces = told.filter((text) => hasTrace(text, key)).length;
  check(traces === 0, `the key stands in ${traces} of the records`);

  const records = told.length.toLocaleString('en-US');
  return {
    wrong,
    lines: [
      `stuck      for ${found - began} ms, until its thread was replaced; tokens that the others heard: ${meanwhile.join(', ')}`,
      `the model  was asked ${asked.length} times, each time with the key; it refused with ${refused.join(' and ')}, and was asked again`,
      `the key    stands in ${traces === 0 ? 'none' : traces} of ${records} records: tokens, events, log, audit, status, output, page`,
    ],
  };
}

/** As it is, in base64 wherever it begins, and in hex. */
function hasTrace(text: string, key: string): boolean {
  const bytes = Buffer.from(key);
  const forms = [0, 1, 2].map((shift) => {
    const coded = Buffer.concat([Buffer.alloc(shift), bytes]).toString('base64');
    return coded.slice(Math.ceil((shift * 8) / 6), Math.floor(((shift + bytes.length) * 8) / 6));
  });
  return [key, bytes.toString('hex'), ...forms].some((form) => text.includes(form));
}
