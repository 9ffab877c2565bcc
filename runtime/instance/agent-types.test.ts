import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, expectTypeOf, onTestFinished, test } from 'vitest';
import {
  agent,
  createRuntime,
  type AgentRef,
  type AskStream,
  type ConfigOf,
  type Runtime,
  type RuntimeConfig,
} from 'holdfast';
import { createTestRuntime } from 'holdfast/testing';
import type counter from '../fixtures/counter.ts';
import type * as desk from '../fixtures/desk-of-tools.ts';
import type * as counterModule from '../fixtures/counter.ts';
import type * as logics from '../transparency/fixtures/logics.ts';
import type { promise } from '../transparency/fixtures/logics.ts';

/** As a program says it of its config file. */
interface Agents {
  readonly counter: typeof counterModule;
  readonly replying: { logic: typeof counter; replies: { read: number } };
  readonly promise: typeof promise;
}

/** A config file, which says nothing to TypeScript. */
async function configFile(): Promise<URL> {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-types-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const file = join(folder, 'openclaw.json');
  const module = new URL('../fixtures/counter.ts', import.meta.url).href;
  const agent = { type: 'thread-bound', threadId: 'counting', maxThreads: 1, module };
  await writeFile(file, JSON.stringify({ agents: { counter: agent, replying: agent } }));
  return pathToFileURL(file);
}

test('a config file has the types of the agents that createRuntime is told', async () => {
  const runtime = await createRuntime<Agents>(await configFile());
  onTestFinished(() => runtime.stop());
  const ref = await runtime.spawn('replying', { id: 'a', input: { start: 3 } });
  expectTypeOf(ref).toEqualTypeOf<AgentRef<typeof counter, { read: number }>>();
  const n = await ref.ask({ type: 'read' });
  expectTypeOf(n).toEqualTypeOf<number>();
  expect(n).toBe(3);
  const stream = ref.askStream({ type: 'read' });
  expectTypeOf(stream).toEqualTypeOf<AskStream<unknown, number>>();
  expect(await stream.result).toBe(3);
  expectTypeOf((await ref.snapshot()).context.n).toEqualTypeOf<number>();
});

test('the test kit takes the same types', async () => {
  const runtime = await createTestRuntime<Agents>(await configFile());
  onTestFinished(() => runtime.stop());
  const ref = await runtime.spawn('counter');
  expectTypeOf(ref).toEqualTypeOf<AgentRef<typeof counter>>();
  expect(await ref.ask({ type: 'read' })).toBe(0);
});

test('what such an agent does not take, and what is no agent, is a compile error', () => {
  // Nothing runs: what compiles is all there is to see.
  const uses = async (runtime: Runtime<ConfigOf<Agents>>): Promise<void> => {
    const ref = await runtime.spawn('counter');
    // @ts-expect-error -- no such agent
    await runtime.spawn('countre');
    // @ts-expect-error -- no such agent
    await runtime.getOrSpawn('countre', 'a');
    // @ts-expect-error -- no such agent
    runtime.logic('countre');
    // @ts-expect-error -- no such event
    ref.send({ type: 'incr' });
    // @ts-expect-error -- no such event
    await ref.ask({ type: 'reed' });
    // @ts-expect-error -- nobody says what it replies
    const said: number = await ref.ask({ type: 'read' });
    const replying = await runtime.spawn('replying');
    // @ts-expect-error -- it replies a number
    const text: string = await replying.ask({ type: 'read' });
    // @ts-expect-error -- the start is a number
    await runtime.spawn('counter', { input: { start: 'three' } });
    // @ts-expect-error -- a promise without its input
    await runtime.spawn('promise');
    // @ts-expect-error -- no such state
    ref.getSnapshot().matches('nowhere');
    expectTypeOf([said, text]).toBeArray();
  };
  const starts = async (): Promise<void> => {
    // @ts-expect-error -- a module without a default export of logic
    await createRuntime<{ logics: typeof logics }>('./openclaw.json');
    // @ts-expect-error -- no logic at all
    await createRuntime<{ counter: string }>('./openclaw.json');
    // As before: any name and anything, and a config whose type is at hand.
    const plain = await createRuntime('./openclaw.json');
    expectTypeOf(plain).toEqualTypeOf<Runtime>();
    const whole = await createRuntime<RuntimeConfig>('./openclaw.json');
    expectTypeOf(whole).toEqualTypeOf<Runtime>();
  };
  expectTypeOf(uses).toBeFunction();
  expectTypeOf(starts).toBeFunction();
});

test('a module with schemas says what is sent and what is replied, before and after them', () => {
  const uses = async (runtime: Runtime<ConfigOf<{ desk: typeof desk; none: typeof counterModule }>>) => {
    const ref = await runtime.spawn('desk');
    // With a default a field may be left out.
    ref.send({ type: 'order', item: 'tea' });
    expectTypeOf(await ref.ask({ type: 'order', item: 'tea', qty: 2 })).toEqualTypeOf<{ ordered: number }>();
    expectTypeOf(await ref.ask({ type: 'total' })).toEqualTypeOf<number>();
    expectTypeOf((await ref.snapshot()).context.total).toEqualTypeOf<number>();
    // @ts-expect-error -- no such event
    ref.send({ type: 'ordre', item: 'tea' });
    // @ts-expect-error -- an order names an item
    ref.send({ type: 'order' });
    // @ts-expect-error -- a number of them
    ref.send({ type: 'order', item: 'tea', qty: 'two' });
    const other = await runtime.spawn('none');
    expectTypeOf(other).toEqualTypeOf<AgentRef<typeof counter>>();
  };
  const inCode = agent<typeof desk>({ type: 'thread-bound', threadId: 'desks', maxThreads: 1 });
  const starts = async (): Promise<void> => {
    const runtime = await createRuntime({ agents: { desk: inCode } });
    const ref = await runtime.spawn('desk');
    expectTypeOf(await ref.ask({ type: 'total' })).toEqualTypeOf<number>();
    // @ts-expect-error -- an order names an item
    ref.send({ type: 'order' });
  };
  expectTypeOf(uses).toBeFunction();
  expectTypeOf(starts).toBeFunction();
});
