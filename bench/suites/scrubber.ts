import { randomBytes } from 'node:crypto';
import { encodings } from '../../runtime/secrets/scrub/encodings.ts';
import { createScrubber, type Scrubber } from '../../runtime/secrets/scrub/scrubber.ts';
import { rowNamed, type Results } from '../lib/results.ts';
import { measure, ratio, type Variant } from '../lib/rounds.ts';
import { scrubStream } from './scrub-stream.ts';

const MOST = 500;
const SECRETS = [0, 10, 100, MOST];
/** Milliseconds of one figure. */
const FOR_MS = 60;
const REDACTED = '<redacted:secret>';

const OURS = 'holdfast: scrubText';
const FIELDS = 'holdfast: scrub, the same text in 16 fields';
const REGEX = 'one regular expression of all forms';
const LOOP = 'split and join for each form';

/** What it costs to take known values, in all their encodings, out of a KB of text that has none: the usual case. */
export async function scrubber(results: Results, rounds: number): Promise<void> {
  for (const count of SECRETS) {
    const values = Array.from({ length: count }, () => randomBytes(24).toString('base64url'));
    const forms = values.flatMap((value) =>
      encodings(Buffer.from(value)).map((form) => form.toString('latin1')),
    );
    const ours = createScrubber({ now: () => 0 });
    for (const [n, value] of values.entries()) ours.learn(String(n), 'v1', Buffer.from(value));
    const regex = new RegExp(
      forms.map((form) => form.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`)).join('|') || '(?!)',
      'g',
    );
    const variants: Record<string, Variant> = {
      [OURS]: timed(values, (text) => ours.scrubText(text)),
      [FIELDS]: timed(values, inFields(ours)),
      [REGEX]: timed(values, (text) => text.replace(regex, REDACTED)),
      [LOOP]: timed(values, (text) => {
        let shown = text;
        for (const form of forms) if (shown.includes(form)) shown = shown.split(form).join(REDACTED);
        return shown;
      }),
    };
    const rows = await measure(variants, rounds);
    results.table({
      suite: 'scrubber',
      title: `scrub 1 KB of text with ${count} secrets of 32 characters known (${forms.length} forms), median of ${rounds}`,
      unit: 'µs',
      base: OURS,
      rows,
    });
    if (count === MOST) {
      const gain = ratio(rowNamed(rows, REGEX), rowNamed(rows, OURS));
      results.gate('scrubber', `with ${count} secrets, one regular expression : scrubber`, gain, {
        atLeast: 2,
      });
    }
    ours.close();
  }
  await scrubStream(results, rounds);
}

/** Microseconds for a KB; also shows that what is looked for would be found. */
function timed(values: readonly string[], scrub: (text: string) => string): Variant {
  return async () => {
    const [clean, first = ''] = [line(), values[0]];
    for (const form of first === '' ? [] : [first, Buffer.from(first).toString('hex')]) {
      const planted = `${clean.slice(0, 480)} ${form} ${clean.slice(480)}`;
      if (scrub(planted) !== planted.replace(form, REDACTED)) throw new Error('a value was not found');
    }
    let times = 0;
    const started = performance.now();
    while (performance.now() - started < FOR_MS) {
      for (let n = 0; n < 20; n += 1) if (scrub(clean) !== clean) throw new Error('the text was changed');
      times += 20;
    }
    return ((performance.now() - started) * 1000) / times;
  };
}

/** A line of a log with what such lines have: words, numbers, ids, a stack. */
function line(): string {
  const id = randomBytes(16).toString('hex');
  const start = `{"level":40,"time":1795675231415,"address":"trading-agent/btc","id":"${id}","msg":"an instance failed"`;
  const stack =
    '\\n    at Object.handle (file:///srv/agents/trading.ts:120:15) of "desk" with 61000.25 and no answer';
  return `${start}${stack.repeat(12)}`.slice(0, 1023).concat('}');
}

/** The fields of a text that comes again are not made again: they are not what is measured. */
function inFields({ scrub }: Scrubber): (text: string) => string {
  let last = '';
  let fields: Record<string, string> = {};
  return (text) => {
    if (text !== last) fields = fieldsOf(text);
    last = text;
    const shown = scrub(fields);
    return shown === fields ? text : Object.values(shown).join(' ');
  };
}

function fieldsOf(text: string): Record<string, string> {
  const words = text.split(' ');
  const size = Math.ceil(words.length / 16);
  return Object.fromEntries(
    Array.from(
      { length: 16 },
      (_, n) => [`field${n}`, words.slice(n * size, (n + 1) * size).join(' ')] as const,
    ).filter(([, part]) => part !== ''),
  );
}
