import { afterAll, describe, expect, test } from 'vitest';
import { isAlive } from './fixtures/is-alive.ts';
import { program, world } from './fixtures/tools.ts';
import type { McpServerConfig } from 'holdfast';

const odd = (how: string, more: Partial<McpServerConfig> = {}): McpServerConfig => {
  const { args = [], ...rest } = program('odd-server', more);
  return { ...rest, args: [...args, how] };
};

const all = await world(
  {
    mute: odd('mute', { startTimeoutMs: 600 }),
    gone: odd('gone'),
    absent: odd('any', { command: 'there-is-no-such-program' }),
    picky: odd('picky'),
    flood: odd('flood', { timeoutMs: 20_000 }),
    endless: odd('endless', { timeoutMs: 20_000 }),
    garbage: odd('garbage'),
    breaks: odd('breaks'),
    wrong: odd('wrong'),
    deep: odd('deep'),
    closes: odd('closes'),
    other: odd('other', { timeoutMs: 1500 }),
    slow: program('stdio-server', { timeoutMs: 2500 }),
    long: program('stdio-server'),
    rated: odd('plain', { rate: '2/h' }),
  },
  { supervision: { backoff: { minMs: 1, maxMs: 1, factor: 1, jitter: 0 } } },
  {},
  afterAll,
);
const { call, logged, runtime } = all;
const pids = (server: string): number[] =>
  all.lines
    .filter(({ fields }) => fields['mcp'] === server && 'pid' in fields)
    .map(({ fields }) => fields['pid'] as number);

describe('a server that is none fails the call with what is known', () => {
  test.each([
    ['mute', 'could not be reached: it did not answer within 600 ms'],
    ['gone', 'could not be reached: exit code 3'],
    ['absent', 'could not be reached: spawn there-is-no-such-program ENOENT'],
  ])('%s', async (server, why) => {
    const { code, message } = await call('go', {}, server);
    expect({ code, message }).toMatchObject({
      code: 'MCP_FAILED',
      message: expect.stringContaining(why) as string,
    });
    expect(runtime.status().mcpServers?.find((one) => one.server === server)).toMatchObject({
      state: 'failed',
    });
    for (const pid of pids(server)) await expect.poll(() => isAlive(pid)).toBe(false);
  });

  test('flood, endless: one that says what nobody has asked for is ended', async () => {
    const outcomes = await Promise.all([call('go', {}, 'flood'), call('go', {}, 'endless')]);
    for (const { code, message } of outcomes) {
      expect(code).toBe('MCP_FAILED');
      expect(message).toContain('said more than anybody had asked for');
    }
    for (const pid of [...pids('flood'), ...pids('endless')])
      await expect.poll(() => isAlive(pid)).toBe(false);
  });

  test('wrong: an answer that is none of a tool', async () => {
    expect(await call('go', {}, 'wrong')).toMatchObject({
      code: 'MCP_FAILED',
      message: expect.stringMatching(/Invalid result for tools\/call: .*"content"/) as string,
    });
  });

  test('deep: an answer that no thread can take', async () => {
    const { code } = await call('go', {}, 'deep');
    expect(['REPLY_UNCLONABLE', 'MCP_FAILED', 'MESSAGE_UNCLONABLE']).toContain(code);
  });

  test('closes: one that closes its output and stays', async () => {
    expect(await call('go', {}, 'closes')).toMatchObject({ code: 'MCP_FAILED' });
    for (const pid of pids('closes')) await expect.poll(() => isAlive(pid)).toBe(false);
  });

  test('other: an answer to another question is nobody’s', async () => {
    expect(await call('go', {}, 'other')).toMatchObject({ code: 'ASK_TIMEOUT' });
  });
});

describe('a server that is odd is lived with', () => {
  test('picky: one that ends at the question of the new protocol is asked in the old one', async () => {
    expect(await call('go', {}, 'picky')).toEqual({ output: [{ type: 'text', text: 'gone' }] });
    expect(runtime.status().mcpServers?.find(({ server }) => server === 'picky')).toMatchObject({
      restarts: 0,
    });
  });

  test('garbage: what is no message is left out, and said once', async () => {
    for (let i = 0; i < 3; i++) expect(await call('go', {}, 'garbage')).toHaveProperty('output');
    const said = all.lines.filter(({ fields }) => fields['mcp'] === 'garbage');
    expect(said.filter(({ message }) => message.includes('prints what is no message'))).toHaveLength(1);
  });
});

test('breaks: lines that end as on Windows, and empty ones, are as they should be', async () => {
  expect(await call('go', {}, 'breaks')).toHaveProperty('output');
  expect(all.lines.filter(({ fields }) => fields['mcp'] === 'breaks').map(({ message }) => message)).toEqual([
    'an MCP server was started',
  ]);
});

describe('a call is cancelled at the server', () => {
  test('at its deadline', async () => {
    // However long its start takes on a busy machine.
    const isUp = async (): Promise<boolean> => 'output' in (await call('echo', { say: 'up' }, 'slow'));
    await expect.poll(isUp, { timeout: 20_000 }).toBe(true);
    expect(await call('wait', { name: 'deadline' }, 'slow')).toMatchObject({ code: 'ASK_TIMEOUT' });
    await logged('cancelled deadline');
  });

  test('when its instance fails', async () => {
    const waiting = call('wait', { name: 'failure' }, 'long').catch(() => {});
    await logged('began failure');
    all.ref.send({ type: 'throw' });
    expect(await logged('cancelled failure')).toMatchObject({ fields: { mcp: 'long' } });
    await waiting;
  });

  test('when its thread is killed', async () => {
    const waiting = call('wait', { name: 'kill' }, 'long').catch(() => {});
    await logged('began kill');
    all.ref.send({ type: 'exit' });
    expect(await logged('cancelled kill')).toMatchObject({ fields: { mcp: 'long' } });
    await waiting;
  });
});

test('a rate lets so many calls begin, and says when the next may', async () => {
  const outcomes = [
    await call('go', {}, 'rated'),
    await call('go', {}, 'rated'),
    await call('go', {}, 'rated'),
  ];
  expect(outcomes.map(({ code }) => code)).toEqual([undefined, undefined, 'MCP_BUSY']);
  expect(outcomes[2]?.message).toMatch(/no more calls begin for 3\d{6} ms/);
});

test('a stop of the runtime ends a program that has not answered yet', async () => {
  const { runtime, call, logged } = await world({ docs: odd('mute') });
  const waiting = call('go').catch(() => {});
  const { fields } = await logged('an MCP server was started');
  await runtime.stop();
  expect(isAlive(fields['pid'] as number)).toBe(false);
  await waiting;
});
