import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import { foreignXState } from './foreign-xstate.ts';
import { fixture, start } from '../fixtures/start.ts';

/** A folder of an agent that has an XState of its own. */
async function agentBeside(version: string | undefined): Promise<{ name: string; moduleUrl: string }> {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-xstate-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  if (version !== undefined) {
    await mkdir(join(folder, 'node_modules/xstate'), { recursive: true });
    await writeFile(
      join(folder, 'node_modules/xstate/package.json'),
      JSON.stringify({ name: 'xstate', version }),
    );
  }
  await writeFile(join(folder, 'agent.mjs'), 'export default {};\n');
  return { name: 'desk', moduleUrl: pathToFileURL(join(folder, 'agent.mjs')).href };
}

test.each(['5.19.0', '4.38.3', '5.32.9', '6.0.0-beta.1'])(
  'an agent that has XState %s of its own is told of',
  async (version) => {
    const [told, ...more] = foreignXState([await agentBeside(version)]);
    expect(more).toEqual([]);
    expect(told).toMatch(
      /^the module of agent "desk" finds XState .* beside it; Holdfast works with 5\.33 or later, below 6/,
    );
    expect(told).toContain(version);
  },
);

test.each(['5.33.0', '5.40.1-next', undefined])('XState %s is not spoken of', async (version) => {
  expect(foreignXState([await agentBeside(version)])).toEqual([]);
});

test('the runtime warns of it as it starts, and runs', async () => {
  const { moduleUrl } = await agentBeside('5.19.0');
  const told: string[] = [];
  const logger = {
    debug() {},
    info() {},
    warn: (_: object, message: string) => void told.push(message),
    error() {},
  };
  await start(
    { agents: { counter: fixture('counter'), desk: fixture('counter', { module: moduleUrl }) } },
    { logger },
  );
  expect(told.filter((message) => message.includes('XState'))).toEqual([expect.stringContaining('"desk"')]);
});

test('what it asks for is what the package asks for', async () => {
  const { peerDependencies } = JSON.parse(
    await readFile(new URL('../../package.json', import.meta.url), 'utf8'),
  ) as {
    peerDependencies: Record<string, string>;
  };
  expect(peerDependencies['xstate']).toBe('>=5.33 <6');
});
