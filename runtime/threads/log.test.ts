import { expect, onTestFinished, test, vi } from 'vitest';
import { log } from 'holdfast/agent';
import { createTestRuntime } from 'holdfast/testing';
import { defineCapability, type Grant, type Logger } from 'holdfast';
import { fixture, start } from '../fixtures/start.ts';

type Line = { level: string; message: string; fields: Record<string, unknown> };

function recorder() {
  const lines: Line[] = [];
  const at = (level: keyof Logger) => (fields: object, message: string) =>
    void lines.push({ level, message, fields: fields as Record<string, unknown> });
  const logger: Logger = { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
  const line = (message: string): Promise<Line> =>
    vi.waitFor(
      () => {
        const found = lines.find((one) => one.message === message);
        if (found === undefined) throw new Error(`"${message}" was not logged`);
        return found;
      },
      { timeout: 60_000 },
    );
  return { lines, logger, line };
}

async function rig(agent: object = {}, config: object = {}, options: object = {}) {
  const { lines, logger, line } = recorder();
  const runtime = await start(
    { ...config, agents: { logging: fixture('logging', { threadId: 'writers', ...agent }) } },
    { logger, ...options },
  );
  const ref = await runtime.spawn('logging', { id: 'a' });
  return { runtime, ref, lines, line };
}

test('what an agent logs reaches the logger of the host, with its address, thread and fields, in its order', async () => {
  const { ref, lines, line } = await rig();
  for (const level of ['debug', 'info', 'warn', 'error'] as const)
    ref.send({ type: 'say', level, message: `at ${level}`, fields: { level, thread: 'a lie' } });
  await line('at error');
  expect(lines).toEqual(
    ['debug', 'info', 'warn', 'error'].map((level) => ({
      level,
      message: `at ${level}`,
      fields: {
        level,
        address: 'logging/a',
        agent: 'logging',
        incarnation: 1,
        threadId: 'writers',
        thread: 'holdfast:writers:1',
      },
    })),
  );
});

test('what cannot be sent as it is, is shown as well as it can be, and nothing throws', async () => {
  const { ref, line, lines } = await rig();
  ref.send({ type: 'odd' });
  ref.send({ type: 'say', message: 'done' });
  await line('done');
  const fields = (message: string): unknown => lines.find((one) => one.message === message)?.fields;
  expect(fields('a cycle')).toMatchObject({ deep: new Map([['when', new Date(0)]]) });
  expect(fields('a function')).toMatchObject({ fn: expect.stringContaining('Function'), n: 1 });
  const { error } = fields('an error') as { error: Error & { code: string } };
  expect([error.name, error.message, error.code]).toEqual(['TypeError', 'bad', 'E_BAD']);
  expect(fields('too large')).toMatchObject({ leftOut: 'fields of more than 65536 bytes' });
  expect(lines.find(({ message }) => message.startsWith('xxx'))?.message).toHaveLength(65_537);
  expect(fields('a getter')).toMatchObject({ leftOut: 'fields that cannot be read' });
  expect(fields('the other way round')).toMatchObject({ order: 'as pino has it' });
  expect(fields('a number')).toMatchObject({ value: 7 });
  expect(fields('')).toMatchObject({ address: 'logging/a' });
  expect(fields('shared')).toMatchObject({ memory: '[SharedArrayBuffer]' });
});

test('outside its turn a line has its thread alone, unless it is of the actor system', async () => {
  const { ref, line } = await rig();
  ref.send({ type: 'later' });
  ref.send({ type: 'child' });
  expect((await line('in a timer')).fields).toEqual({ threadId: 'writers', thread: 'holdfast:writers:1' });
  const address = { address: 'logging/a' };
  expect((await line('in a child, still in the turn')).fields).toMatchObject(address);
  expect((await line('in a child, after an await')).fields).not.toMatchObject(address);
  expect((await line('in a child, after an await, of its system')).fields).toMatchObject(address);
});

test('the last words of a thread are heard', async () => {
  const { ref, line } = await rig();
  ref.send({ type: 'die' });
  expect((await line('the last words')).level).toBe('error');
  await line('before the end, in passing');
});

test('a flood is cut at 10,000 lines, the rest are counted, and no event is lost', async () => {
  const { logger, lines, line } = recorder();
  const runtime = await createTestRuntime(
    { agents: { logging: fixture('logging', { threadId: 'writers' }) } },
    { logger },
  );
  const ref = await runtime.spawn('logging');
  for (let round = 0; round < 4; round++) expect(await ref.ask({ type: 'flood', lines: 3_000 })).toBe(3_000);
  expect(lines.filter(({ message }) => message === 'one of many')).toHaveLength(10_000);
  await runtime.clock.advance(30_000);
  await line('2000 lines of agents were left out of the log: the thread wrote more than 10000 within 30 s');
  ref.send({ type: 'say', message: 'and on it goes' });
  await line('and on it goes');
  await runtime.stop();
});

test('a logger that throws costs no event and no other line', async () => {
  const { logger, line } = recorder();
  const runtime = await start(
    { agents: { logging: fixture('logging', { threadId: 'writers' }) } },
    {
      logger: {
        ...logger,
        info: () => {
          throw new Error('the disk is full');
        },
      },
    },
  );
  const ref = await runtime.spawn('logging');
  ref.send({ type: 'say', message: 'lost' });
  expect(await ref.ask({ type: 'flood', lines: 2 })).toBe(2);
  ref.send({ type: 'say', level: 'warn', message: 'heard' });
  await line('heard');
});

test('a value that an agent was shown is in no line', async () => {
  const canary = 'CANARY-log-5e2a "77"';
  vi.stubEnv('LOG_CANARY', canary);
  const secrets: Record<string, Grant> = {
    key: { ref: 'LOG_CANARY', mode: 'capability', capabilities: ['sign'], required: true },
  };
  const { ref, lines, line } = await rig(
    { secrets },
    { externalSecrets: { provider: 'env' } },
    { capabilities: [defineCapability('sign', () => 1)] },
  );
  vi.unstubAllEnvs();
  const forms = [
    canary,
    Buffer.from(canary).toString('base64'),
    Buffer.from(canary).toString('hex'),
    encodeURIComponent(canary),
    JSON.stringify(canary).slice(1, -1),
  ];
  for (const form of forms) ref.send({ type: 'say', message: `see ${form}`, fields: { form, [form]: 1 } });
  ref.send({ type: 'say', message: 'done' });
  await line('done');
  const text = JSON.stringify(lines.map((one) => [one.message, one.fields]));
  for (const form of forms) expect(text).not.toContain(form);
  expect(text.split('<redacted:secret>')).toHaveLength(forms.length * 2 + 1);
});

test('outside of a thread, as in a unit test of a machine, lines go to the console', async () => {
  const written = vi.spyOn(console, 'warn').mockImplementation(() => {});
  onTestFinished(() => written.mockRestore());
  log.warn('alone', { n: 1 });
  log.of({}).warn('alone as well');
  expect(written.mock.calls).toEqual([
    ['alone', { n: 1 }],
    ['alone as well', {}],
  ]);
});
