import { expectTypeOf, test } from 'vitest';
import { agent } from 'holdfast';
import type * as accepting from '../fixtures/accepting.ts';
import type counter from '../fixtures/counter.ts';
import { fixture } from '../fixtures/start.ts';
import { connect, type AgentClient } from './index.ts';

const at = { url: 'http://127.0.0.1:1' };
type Sent<T> = T extends { send: (event: infer TEvent, ...more: never) => unknown } ? TEvent : never;

test('a client has the types of modules, with what they accept', () => {
  const client = connect<{ desk: typeof accepting }>(at);
  const desk = client.agent('desk/a');
  // @ts-expect-error: there is no such agent.
  client.agent('other/a');
  expectTypeOf<{ type: 'say'; text: string }>().toExtend<Sent<typeof desk>>();
  expectTypeOf<{ type: 'say' }>().not.toExtend<Sent<typeof desk>>();
  expectTypeOf<{ type: 'nothing' }>().not.toExtend<Sent<typeof desk>>();
});

test('a client has the types of a config in code, and of its replies', () => {
  const config = { agents: { counter: agent<typeof counter, { read: number }>(fixture('counter')) } };
  const desk = connect<typeof config>(at).agent('counter/a');
  expectTypeOf(desk).toEqualTypeOf<AgentClient<typeof counter, { read: number }>>();
  expectTypeOf<Awaited<ReturnType<typeof desk.ask<never, 'read'>>>>().toEqualTypeOf<number>();
});

test('a client without types takes every address and every event', () => {
  const any = connect(at).agent('any/one');
  expectTypeOf(any).toEqualTypeOf<AgentClient>();
  expectTypeOf<{ type: 'anything' }>().toExtend<Sent<typeof any>>();
});
