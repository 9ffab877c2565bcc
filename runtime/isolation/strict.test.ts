import { describe, expect, it, onTestFinished } from 'vitest';
import { createRuntime, defineCapability, type HoldfastError, type RuntimeConfig } from '../index.ts';

const module = new URL('../fixtures/counter.ts', import.meta.url);
const capabilities = [defineCapability('sign', () => null)];
const grant = (ref: string) => ({ key: { ref, mode: 'capability', capabilities: ['sign'] } }) as const;
const bound = (threadId: string, more: object = {}) =>
  ({ type: 'thread-bound', threadId, maxThreads: 1, module, ...more }) as const;
const externalSecrets = { provider: 'env' };

async function refusal(config: RuntimeConfig): Promise<HoldfastError> {
  const runtime = await createRuntime(config, { strict: true, capabilities }).catch(
    (error: unknown) => error,
  );
  if (runtime instanceof Error) return runtime as HoldfastError;
  await (runtime as AsyncDisposable)[Symbol.asyncDispose]();
  throw new Error('it was not refused');
}

describe('a strict runtime', () => {
  it('starts when nothing comes through in any of its pools', async () => {
    const runtime = await createRuntime(
      {
        externalSecrets,
        agents: { counter: bound('books', { secrets: grant('A') }), other: bound('more') },
        threads: { more: { isolation: 'thread+permissions' } },
      },
      { strict: true, capabilities },
    );
    onTestFinished(() => runtime.stop());
    const ref = await runtime.spawn('counter', { input: { start: 3 } as never });
    expect(await ref.ask({ type: 'read' })).toBe(3);
  });

  it('is refused a plain pool, and told which one, what is open on this Node and what to write', async () => {
    const { code, message } = await refusal({ agents: { counter: bound('books') } });
    expect(code).toBe('ISOLATION_UNAVAILABLE');
    expect(message).toContain(`pool "books" (thread): open on Node ${process.version} are inspector, `);
    expect(message).toMatch(/child-process.*isolation: 'thread\+permissions'/);
  });

  it('is refused agents of different grants in one pool', async () => {
    const { code, message } = await refusal({
      externalSecrets,
      agents: {
        first: bound('books', { secrets: grant('A') }),
        second: bound('books', { secrets: grant('B') }),
      },
    });
    expect(code).toBe('ISOLATION_UNAVAILABLE');
    expect(message).toContain('"first", "second" have different grants in one pool, "books"');
    expect(message).toContain('threadIds of their own');
  });

  it('is refused agents of different MCP tools in one pool', async () => {
    const docs = (allow: string) => ({ mcp: { docs: { command: 'node', tools: { allow: [allow] } } } });
    const { code, message } = await refusal({
      agents: { first: bound('books', docs('a')), second: bound('books', docs('b')) },
    });
    expect(code).toBe('ISOLATION_UNAVAILABLE');
    expect(message).toContain('"first", "second" have different MCP tools in one pool, "books"');
  });

  it('hears of every problem at once', async () => {
    const { message } = await refusal({
      externalSecrets,
      agents: {
        first: bound('books', { secrets: grant('A') }),
        second: bound('books'),
        third: bound('plain'),
      },
    });
    expect(message).toContain('"books"');
    expect(message).toContain('"plain"');
  });
});
