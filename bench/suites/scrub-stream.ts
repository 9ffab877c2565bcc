import { randomBytes } from 'node:crypto';
import { createScrubber, type Scrubber } from '../../runtime/secrets/scrub/scrubber.ts';
import { rowNamed, type Results } from '../lib/results.ts';
import { measure, ratio, type Variant } from '../lib/rounds.ts';

const VERSIONS = [1, 9, 200];
const KEY_LENGTH = 164;
const FRAMES = 4096;
/** Milliseconds of one figure. */
const FOR_MS = 200;

const LARGE = 'stream of bytes, 64 KiB a chunk';
const READ = 'each byte looked at once';
const FRAME = 'stream of bytes, a token a chunk';

/** What it costs to search an answer of a model as it streams by: the tokens of a chat, as events of about 165 bytes. */
export async function scrubStream(results: Results, rounds: number): Promise<void> {
  const frames = Array.from({ length: FRAMES }, (_, n) => Buffer.from(frame(n)));
  const whole = Buffer.concat(frames);
  for (const versions of VERSIONS) {
    const scrubber = createScrubber({ now: () => 0 }, { head: 16_384 });
    for (let n = 0; n < versions; n += 1) scrubber.learn('key', `v${n}`, Buffer.from(key()));
    const variants: Record<string, Variant> = {
      [LARGE]: timed(scrubber, cut(whole, 65_536)),
      'stream of bytes, 4 KiB a chunk': timed(scrubber, cut(whole, 4096)),
      [FRAME]: timed(scrubber, frames),
      [READ]: read(whole),
    };
    const rows = await measure(variants, rounds);
    results.table({
      suite: 'scrubber',
      title: `search 1 KB of a stream for ${versions} versions of a key of ${KEY_LENGTH} characters, median of ${rounds}`,
      unit: 'µs',
      base: LARGE,
      rows,
    });
    const least = Math.min(...rowNamed(rows, LARGE).rounds);
    results.gate(
      'scrubber',
      `${versions} versions, 64 KiB a chunk: µs of the processor for a KB, best round`,
      least,
      {
        atMost: 2,
      },
    );
    const times = ratio(rowNamed(rows, LARGE), rowNamed(rows, READ));
    results.gate('scrubber', `${versions} versions, 64 KiB a chunk, search : one look at each byte`, times, {
      atMost: 3,
    });
    const held = rowNamed(rows, FRAME).also['held'] ?? Number.NaN;
    results.gate('scrubber', `${versions} versions, a token a chunk: chunks that were held back`, held, {
      atMost: 0,
    });
    scrubber.close();
  }
}

/** Microseconds for a KB, and how many chunks were not given on at once, as they were. */
function timed({ stream }: Scrubber, chunks: readonly Buffer[]): Variant {
  const bytes = chunks.reduce((sum, { length }) => sum + length, 0);
  return async () => {
    let [times, held] = [0, 0];
    const cpu = cpuMs();
    const started = performance.now();
    while (performance.now() - started < FOR_MS) {
      const one = stream();
      held = 0;
      for (const chunk of chunks) {
        one.push(chunk);
        if (one.held > 0) held += 1;
      }
      one.end();
      times += 1;
    }
    return { value: perKb(cpuMs() - cpu, bytes * times), also: { held } };
  };
}

function read(whole: Buffer): Variant {
  return async () => {
    let [times, sum] = [0, 0];
    const cpu = cpuMs();
    const started = performance.now();
    while (performance.now() - started < FOR_MS) {
      for (let at = 0; at < whole.length; at += 1) sum += whole[at] as number;
      times += 1;
    }
    if (sum === 0) throw new Error('nothing was read');
    return { value: perKb(cpuMs() - cpu, whole.length * times), also: { held: 0 } };
  };
}

/** Of the processor, so that what else runs on the machine counts less. */
function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

function perKb(ms: number, bytes: number): number {
  return (ms * 1000) / (bytes / 1024);
}

function cut(whole: Buffer, size: number): Buffer[] {
  return Array.from({ length: Math.ceil(whole.length / size) }, (_, n) =>
    whole.subarray(n * size, (n + 1) * size),
  );
}

function key(): string {
  return `sk-proj-${randomBytes(KEY_LENGTH).toString('base64url')}`.slice(0, KEY_LENGTH);
}

function frame(n: number): string {
  const choices = [{ index: 0, delta: { content: ` word${n}` }, finish_reason: null }];
  const chunk = { id: 'chatcmpl-x', object: 'chat.completion.chunk', created: 1, model: 'gpt', choices };
  return `data: ${JSON.stringify(chunk)}\n\n`;
}
