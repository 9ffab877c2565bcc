import { expect, test } from 'vitest';
import { createMemoryProvider } from '../secrets/fixtures/memory-provider.ts';
import { program, world } from './fixtures/tools.ts';

const canary = 'CANARY-7f1e-of-an-mcp-server';

test('a server that says a secret of the agent says it to nobody', async () => {
  const provider = createMemoryProvider();
  provider.set('prod/key', 'v1', canary);
  process.env['HOLDFAST_TEST_CANARY'] = canary;
  const secrets = {
    key: { ref: 'prod/key', mode: 'capability', capabilities: ['sign.hmac'], required: true },
  };
  const { call, runtime, ref, lines, audited, logged } = await world(
    { docs: program('stdio-server') },
    { secrets },
    { providers: [provider] },
  );
  const told = [
    await call('echo', { say: `it is ${canary}!` }),
    await call('fail', { why: Buffer.from(canary).toString('base64') }),
    await call('fail', { why: 'x'.repeat(1990) + canary }),
    await call('print', { lines: [`key=${canary}`, 'printed'] }),
    await call(canary),
    await call('env'),
  ];
  await logged('printed');
  expect(told[0]).toEqual({ output: [{ type: 'text', text: 'it is <redacted:secret>!' }] });
  expect(told[1]).toMatchObject({ code: 'MCP_TOOL_FAILED' });
  expect(lines.map(({ message }) => message)).toContain('key=<redacted:secret>');
  const all = JSON.stringify([told, lines, audited, runtime.status(), await ref.persist()]);
  expect(all).not.toContain(canary);
  expect(all).not.toContain(`x${canary.slice(0, 8)}`);
  expect(all).not.toContain(Buffer.from(canary).toString('base64'));
  delete process.env['HOLDFAST_TEST_CANARY'];
});
