import { createActor, fromPromise, setup, toPromise } from 'xstate';
import { describe, expect, expectTypeOf, test } from 'vitest';
import { mcpTool, type McpContent } from './agent.ts';

describe('mcpTool', () => {
  test('takes the names of a server and a tool', () => {
    expect(() => mcpTool('', 'search')).toThrow(/OPTION_INVALID|server/);
    expect(() => mcpTool('docs', 1 as never)).toThrow(/tool/);
  });

  test('fails outside of a thread, and is another actor there', async () => {
    const machine = setup({ actors: { search: mcpTool<{ hits: number }>('docs', 'search') } }).createMachine({
      invoke: { src: 'search', input: { query: 'x' }, onDone: { target: '.done' } },
      initial: 'idle',
      states: { idle: {}, done: { type: 'final' } },
      output: 'done',
    });
    const failing = createActor(machine);
    const failed = new Promise((resolve) => failing.subscribe({ error: resolve }));
    failing.start();
    expect(await failed).toMatchObject({ code: 'MCP_TOOL_DENIED' });
    const provided = machine.provide({ actors: { search: fromPromise(async () => ({ hits: 1 })) } });
    expect(await toPromise(createActor(provided).start())).toBe('done');
  });

  test('has the type of its output', () => {
    expectTypeOf(mcpTool('docs', 'search')).toHaveProperty('transition');
    type Output = Awaited<ReturnType<typeof outputOf>>;
    const outputOf = () => toPromise(createActor(mcpTool('docs', 'search')));
    expectTypeOf<Output>().toEqualTypeOf<readonly McpContent[]>();
  });
});
