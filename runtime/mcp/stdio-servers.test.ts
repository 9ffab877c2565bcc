import { afterAll, describe, expect, test } from 'vitest';
import { isAlive } from './fixtures/is-alive.ts';
import { program, world, type Outcome } from './fixtures/tools.ts';

const all = await world(
  {
    docs: program('stdio-server', { env: { GREETING: 'hello' } }),
    old: program('old-server', { env: { PATH: '/nowhere' } }),
    few: program('stdio-server', { tools: { allow: ['e*', 'p*d'], deny: ['env'] } }),
    tight: program('stdio-server', { maxConcurrent: 1, maxArgumentBytes: 100, maxResultBytes: 1000 }),
  },
  {},
  {},
  afterAll,
);
const { call, runtime, audited } = all;
const text = ({ output }: Outcome): string => (output as [{ text: string }])[0].text;

describe('an agent in a thread calls a tool of a program', () => {
  test('and gets its content, or its structured content, and each call leaves a record', async () => {
    audited.length = 0;
    expect(await call('echo', { say: 'hello' })).toEqual({ output: [{ type: 'text', text: 'hello' }] });
    expect(await call('add', { a: 1, b: 2 })).toEqual({ output: { sum: 3 } });
    expect(audited).toMatchObject([
      { address: 'user/a', mode: 'tool', label: 'docs', through: 'echo', outcome: 'ok' },
      { address: 'user/a', mode: 'tool', label: 'docs', through: 'add', outcome: 'ok' },
    ]);
  });

  test('of the older protocol, which may ask for nothing itself', async () => {
    expect(text(await call('echo', { say: 'hello' }, 'old'))).toBe('hello');
    expect(text(await call('ask', {}, 'old'))).toMatch(/does not support sampling|Method not found/);
  });

  test('which has the environment of the config and nothing else', async () => {
    const own = JSON.parse(text(await call('env'))) as Record<string, string>;
    expect(own).toEqual({ GREETING: 'hello' });
  });

  test('many times at once, on one connection', async () => {
    const said = Array.from({ length: 40 }, (_, i) => `n${i}`);
    const answers = await Promise.all(said.map((say) => call('echo', { say })));
    expect(answers.map(text)).toEqual(said);
    const [docs] = runtime.status().mcpServers ?? [];
    expect(docs).toMatchObject({ state: 'connected', restarts: 0, running: 0, waiting: 0 });
  });

  test.each(['docs', 'old'])('that it has learnt since it was first asked (%s)', async (server) => {
    const code = (await call('fresh', {}, server)).code;
    await call('learn', { name: 'fresh' }, server);
    await expect
      .poll(async () => (await call('fresh', {}, server)).code, { timeout: 60_000 })
      .toBeUndefined();
    expect(code).toBe('MCP_TOOL_DENIED');
  });
});

describe('a tool is refused in one way', () => {
  test.each([
    ['that the config does not allow', 'add', 'few'],
    ['that the config denies', 'env', 'few'],
    ['that the server does not have', 'eat', 'few'],
    ['of a server that the agent does not have', 'echo', 'elsewhere'],
  ])('%s', async (_what, tool, server) => {
    audited.length = 0;
    const { code, message } = await call(tool, {}, server);
    expect(code).toBe('MCP_TOOL_DENIED');
    expect(message).toContain(
      `may not call the tool "${tool}" of the MCP server "${server}", or there is none`,
    );
    expect(audited).toMatchObject([{ label: server, through: tool, outcome: 'MCP_TOOL_DENIED' }]);
  });
});

describe('what a tool cannot do fails its call alone', () => {
  test('with the words of the tool', async () => {
    const { code, message } = await call('fail', { why: 'no such order' });
    expect({ code, message }).toEqual({
      code: 'MCP_TOOL_FAILED',
      message: 'The tool "fail" of the MCP server "docs" failed: no such order',
    });
  });

  test('with the words of the server, when the arguments are not those of the tool', async () => {
    const { code, message } = await call('echo', { shout: 1 });
    expect(code).toBe('MCP_TOOL_FAILED');
    expect(message).toContain('say');
  });

  test('when the arguments are too large, or the answer is', async () => {
    expect(await call('echo', { say: 'x'.repeat(200) }, 'tight')).toMatchObject({
      code: 'MESSAGE_TOO_LARGE',
    });
    const [big, tooLong, small] = await Promise.all([
      call('big', { bytes: 2000 }, 'tight'),
      call('big', { bytes: 3_000_000 }, 'tight'),
      call('echo', { say: 'small' }, 'tight'),
    ]);
    expect(big).toMatchObject({ code: 'MESSAGE_TOO_LARGE' });
    expect(big?.message).toContain('more than 1000 bytes');
    expect(tooLong).toMatchObject({ code: 'MESSAGE_TOO_LARGE' });
    expect(text(small)).toBe('small');
  });

  test('when the arguments are no JSON', async () => {
    expect(await call('echo', { say: 1n })).toMatchObject({ code: 'MESSAGE_UNCLONABLE' });
    expect(await call('echo', [] as object)).toMatchObject({ code: 'OPTION_INVALID' });
  });
});

test('what a program prints to its error output stands in the log, line by line', async () => {
  await call('print', { lines: ['one', 'two'] });
  const line = await all.logged('two');
  expect(line).toMatchObject({ level: 'info', fields: { agent: 'user', mcp: 'docs' }, message: 'two' });
});

test('calls beyond maxConcurrent wait for their turn, and one that is cancelled gives it back', async () => {
  const first = call('wait', { name: 'first' }, 'tight');
  await all.logged('began first');
  const second = call('echo', { say: 'second' }, 'tight');
  const tight = () => runtime.status().mcpServers?.find(({ server }) => server === 'tight');
  await expect.poll(tight).toMatchObject({ running: 1, waiting: 1 });
  all.ref.send({ type: 'leave' });
  await all.logged('cancelled first');
  await expect.poll(tight).toMatchObject({ running: 0, waiting: 0 });
  void first.catch(() => {});
  void second.catch(() => {});
  expect(text(await call('echo', { say: 'third' }, 'tight'))).toBe('third');
});

test('a program that ends in the middle of a call fails it, is started again, and leaves nothing behind', async () => {
  const before = Number(text(await call('pid')));
  const { code, message } = await call('exit');
  expect(code).toBe('MCP_FAILED');
  expect(message).toContain('"docs" failed in the call of its tool "exit"');
  const after = Number(text(await call('pid')));
  expect(after).not.toBe(before);
  expect(isAlive(before)).toBe(false);
  const [docs] = runtime.status().mcpServers ?? [];
  expect(docs).toMatchObject({ state: 'connected', restarts: 1 });
  expect(
    all.lines.some(({ message, level }) => level === 'warn' && message.includes('MCP server failed')),
  ).toBe(true);
});
