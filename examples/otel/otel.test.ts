import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { runExample, shownOutput } from '../program.fixture.ts';
import { startReceiver } from './receiver.ts';
import { spanTree } from './span-tree.ts';

const here = new URL('./', import.meta.url);

test('an ask that crosses two threads is one tree at the receiver, as the README and the guide show it', async () => {
  const { stdout, stderr } = await runExample(here);
  expect(stderr).toBe('');
  expect(stdout).toBe(shownOutput(here));
  const [, tree] =
    /```text tree\n([\s\S]*?)```/.exec(readFileSync(new URL('../../docs/telemetry.md', here), 'utf8')) ?? [];
  expect(stdout).toContain(tree);
});

test('the receiver takes OTLP and nothing else', async () => {
  const receiver = await startReceiver();
  try {
    expect((await fetch(receiver.url)).status).toBe(404);
    const body = JSON.stringify({ resourceSpans: [{ scopeSpans: [{ spans: [{ name: 'a' }] }, {}] }, {}] });
    expect((await fetch(receiver.url, { method: 'POST', body })).status).toBe(200);
    expect(receiver.spans).toEqual([{ name: 'a' }]);
  } finally {
    await receiver.stop();
  }
});

test('a span whose parent is elsewhere is a root, and those that began first come first', () => {
  const span = (spanId: string, parentSpanId: string, from: number) => ({
    traceId: 't',
    spanId,
    parentSpanId,
    name: spanId,
    kind: 1,
    startTimeUnixNano: String(from),
    endTimeUnixNano: String(from),
  });
  expect(spanTree([span('c', 'a', 3), span('b', 'a', 2), span('a', 'elsewhere', 1), span('d', 'b', 4)])).toBe(
    'a\n├─ b\n│  └─ d\n└─ c',
  );
});
