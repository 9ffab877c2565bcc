import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { crowd } from './fixtures/crowd.ts';
import { recordRun } from './record-run.ts';
import { openRecord } from './recorded-run.ts';

const machine = { config: { initial: 'open', states: { open: {}, paid: {} } }, value: 'open' };

async function folder(): Promise<string> {
  const made = await mkdtemp(join(tmpdir(), 'holdfast-record-'));
  onTestFinished(() => rm(made, { recursive: true }));
  return made;
}

/** A record of two workers and an order that is paid. */
async function record(options: { readonly mostBytes?: number } = {}) {
  const { inspector, turn } = await crowd(2, undefined, { 'orders/7': machine }, { now: () => 0 });
  const file = join(await folder(), 'run.ndjson');
  const ending = new AbortController();
  let seen = 0;
  const recorded = await recordRun(inspector.link(), file, {
    ...options,
    signal: ending.signal,
    wrote() {
      seen += 1;
      // Behind the replay.
      if (seen === 1) setImmediate(() => turn('orders/7', [{ type: 'pay', by: 'Acme' }, { value: 'paid' }]));
      if (seen === 2) ending.abort();
    },
  });
  return { file, recorded };
}

/** What a page of the record is told first, by kind. */
async function told(file: string): Promise<Readonly<Record<string, unknown>>> {
  const page = await openRecord(file);
  onTestFinished(() => page.stop());
  const entered = await (await fetch(page.link())).text();
  const [, session = ''] = /name="session" content="([^"]+)"/.exec(entered) ?? [];
  const ending = new AbortController();
  const { body } = await fetch(`${page.url}events`, {
    headers: { Authorization: `Bearer ${session}` },
    signal: ending.signal,
  });
  let text = '';
  for await (const chunk of body?.pipeThrough(new TextDecoderStream()) ?? []) {
    text += chunk;
    if (text.includes('event: recent') && text.endsWith('\n\n')) break;
  }
  return Object.fromEntries(
    Array.from(text.matchAll(/^event: (\w+)\ndata: (.*)$/gm), ([, kind = '', data = '']) => [
      kind,
      JSON.parse(data) as unknown,
    ]),
  );
}

test('what happens is recorded in a file of its owner, and is shown from there as it was, to its end', async () => {
  const { file, recorded } = await record();
  expect(recorded).toMatchObject({ end: 'signal', events: 8 });
  expect((await stat(file)).mode & 0o777).toBe(0o600);
  const lines = (await readFile(file, 'utf8')).trim().split('\n');
  // Each by itself, as Stately's tools read them, and the status at the beginning and the end.
  const types = lines.map((line) => (JSON.parse(line) as { type: string }).type);
  expect(new Set(types)).toEqual(
    new Set(['@xstate.actor', '@xstate.event', '@xstate.snapshot', '@holdfast.status']),
  );
  const { replay, status, recent } = await told(file);
  expect(replay).toMatchObject({
    isLast: true,
    listed: expect.arrayContaining([expect.objectContaining({ ids: ['orders/7'], isInstance: true })]),
  });
  expect(status).toMatchObject({
    mayAct: false,
    recordedAt: expect.any(Number),
    counts: { total: 3 },
    fleets: expect.arrayContaining([
      { agent: 'orders', total: 1, states: [expect.objectContaining({ name: 'paid' })] },
    ]),
  });
  expect((recent as unknown[][]).flat()).toContainEqual(
    expect.objectContaining({ type: '@xstate.event', event: { type: 'pay', by: 'Acme' } }),
  );
});

test('an actor of a record comes behind its parent, also when that has begun anew since', async () => {
  const born = (sessionId: string, n: number, parentId?: string): string =>
    JSON.stringify({
      type: '@xstate.actor',
      rootId: 'supervisor',
      sessionId,
      createdAt: String(n),
      id: String(n),
      _version: '0.7.2',
      name: sessionId,
      parentId,
      snapshot: { status: 'active' },
    });
  const file = join(await folder(), 'run.ndjson');
  await writeFile(file, `${[born('pool', 1), born('a/1', 2, 'pool'), born('pool', 3)].join('\n')}\n`);
  const { replay } = await told(file);
  expect((replay as { listed: { ids: string[] }[] }).listed.flatMap(({ ids }) => ids)).toEqual([
    'pool',
    'a/1',
  ]);
});

test('a record has a bound; a file that is there already is left as it is', async () => {
  const { file, recorded } = await record({ mostBytes: 200 });
  expect(recorded).toMatchObject({ end: 'full', bytes: 200 });
  expect((await stat(file)).size).toBeLessThanOrEqual(200);
  const { inspector } = await crowd(1);
  await expect(
    recordRun(inspector.link(), file, { signal: new AbortController().signal }),
  ).rejects.toMatchObject({ code: 'OPTION_INVALID', message: expect.stringContaining('there already') });
});

test('a record whose last line is cut off is shown; what is no record is refused with its line', async () => {
  const { file } = await record();
  const whole = await readFile(file, 'utf8');
  await writeFile(file, `${whole}{"type":"@xstate.ev`);
  expect((await told(file))['replay']).toMatchObject({ isLast: true });
  for (const [text, why] of [
    [`${whole}{"type":"other"}\n`, /line \d+ is no event/],
    ['no json\n', /line 1 is no JSON/],
    ['', /nothing in it/],
  ] as const) {
    await writeFile(file, text);
    await expect(openRecord(file)).rejects.toMatchObject({
      code: 'OPTION_INVALID',
      message: expect.stringMatching(why),
    });
  }
  await expect(openRecord(`${file}.none`)).rejects.toThrow('ENOENT');
});
