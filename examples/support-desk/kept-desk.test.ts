import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import { answerOf } from './answers.ts';
import { startModelServer } from './model-server.ts';

const program = fileURLToPath(new URL('kept-desk.fixture.ts', import.meta.url));

test('a conversation goes on after the process was killed, and the model is told all of it', async () => {
  const model = await startModelServer({ answer: answerOf });
  onTestFinished(() => model.close());
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-desk-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));

  /** Says something to a desk in a process of its own, which is killed when it was answered. */
  const say = async (text: string): Promise<string> => {
    const child = spawn(
      process.execPath,
      ['-C', 'holdfast-source', program, join(folder, 'desk.db'), 'ada', text],
      {
        stdio: ['ignore', 'pipe', 'inherit'],
        env: { ...process.env, MODEL_URL: model.url, MODEL: 'tea', MODEL_KEY: 'sk-model-server' },
      },
    );
    onTestFinished(() => void child.kill('SIGKILL'));
    for await (const line of createInterface({ input: child.stdout })) {
      child.kill('SIGKILL');
      return line;
    }
    throw new Error('the process ended without an answer');
  };

  expect(await say('I am Ada. Where is my kettle?')).toBe(
    'answered Your kettle, order T-1001: shipped, arrives on Thursday.',
  );
  expect(await say('Hello?')).toBe('answered Hello. What can I do for you?');
  const { messages } = JSON.parse(model.requests.at(-1)?.body ?? '{}') as {
    messages: { content: unknown }[];
  };
  const told = JSON.stringify(messages);
  expect(told).toContain('Where is my kettle?');
  expect(told).toContain('arrives on Thursday');
  expect(told).toContain('Hello?');
}, 60_000);
