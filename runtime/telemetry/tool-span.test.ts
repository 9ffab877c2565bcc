import { trace } from '@opentelemetry/api';
import { InMemorySpanExporter, SimpleSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace';
import { expect, onTestFinished, test } from 'vitest';
import { program, world } from '../mcp/fixtures/tools.ts';

test('a call of a tool is a span of the name that the agent may call; without arguments and result', async () => {
  const spans = new InMemorySpanExporter();
  const tracers = new TracerProvider({ spanProcessors: [new SimpleSpanProcessor({ exporter: spans })] });
  trace.setGlobalTracerProvider(tracers);
  onTestFinished(async () => {
    trace.disable();
    await tracers.shutdown();
  });
  const { call } = await world({ docs: program('stdio-server', {}) }, {}, {}, onTestFinished);
  await call('echo', { say: 'nobody else is to know' });
  await call('made up by a thread', { say: 'nobody else is to know' });
  const tools = spans.getFinishedSpans().filter(({ name }) => name.startsWith('execute_tool'));
  expect(tools.map(({ name }) => name)).toEqual(['execute_tool echo', 'execute_tool']);
  const all = {
    'gen_ai.operation.name': 'execute_tool',
    'gen_ai.tool.type': 'extension',
    'gen_ai.agent.name': 'user',
    'holdfast.agent': 'user',
    'holdfast.address': 'user/a',
  };
  expect(tools.map(({ attributes }) => attributes)).toMatchObject([
    { ...all, 'gen_ai.tool.name': 'echo' },
    { ...all, 'error.type': 'MCP_TOOL_DENIED' },
  ]);
  expect(tools[0]?.parentSpanContext).toBeDefined();
  expect(JSON.stringify(tools.map(({ attributes, events }) => [attributes, events]))).not.toMatch(
    /nobody|made up/,
  );
});
