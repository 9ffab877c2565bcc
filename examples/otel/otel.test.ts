import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { startReceiver } from './receiver.ts';
import { spanTree } from './span-tree.ts';

const run = promisify(execFile);
const at = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

test('an ask that crosses two threads is one tree at the receiver, as the README and the guide show it', async () => {
  const { stdout, stderr } = await run(process.execPath, ['-C', 'holdfast-source', at('main.ts')], {
    timeout: 60_000,
  });
  expect(stderr).toBe('');
  const [, shown] =
    /```sh[\s\S]*?```[\s\S]*?```\n([\s\S]*?)```/.exec(readFileSync(at('README.md'), 'utf8')) ?? [];
  expect(stdout).toBe(shown);
  const [, tree] =
    /```text tree\n([\s\S]*?)```/.exec(readFileSync(at('../../docs/telemetry.md'), 'utf8')) ?? [];
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
