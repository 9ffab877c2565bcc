import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { ConfigError } from '../base/errors.ts';
import { configFolder } from './fixtures/config-folder.ts';
import { loadConfig, validateConfig } from './load.ts';

const nodes = ['127.0.0.1:7700', '127.0.0.1:7701'];
const tls = { ca: 'ca.pem', cert: 'node.pem', key: 'node-key.pem' };

async function problemsOf(cluster: object, more: object = {}): Promise<string[]> {
  const config = { agents: {}, cluster, ...more };
  const error = (await validateConfig(config).catch((thrown: unknown) => thrown)) as ConfigError;
  return ('problems' in error ? error.problems : []).map(
    ({ code, path }) => `${code} ${path.slice(1).join('.')}`,
  );
}

describe('a cluster', () => {
  test.each([
    { nodes, index: 1 },
    { nodes: ['10.0.0.5:7700', '[fd00::1]:7700'], index: 0, silentMs: 100, tls },
    { listen: '127.0.0.1:7700' },
    { listen: '10.0.0.5:7700', lockMs: 3000, rowLocks: true, silentMs: 2000, tls },
  ])('may be %o', async (cluster) => {
    expect(await problemsOf(cluster)).toEqual([]);
  });

  test.each([
    [{}, ['missing-key nodes']],
    [{ nodes }, ['missing-key index']],
    [{ nodes, index: 2 }, ['out-of-range index']],
    [{ nodes: [...nodes, nodes[0]], index: 0, lockMs: 4000 }, ['wrong-mode lockMs', 'out-of-range nodes.2']],
    [{ listen: '127.0.0.1:7700', nodes, index: 0 }, ['wrong-mode nodes', 'wrong-mode index']],
    [{ listen: '127.0.0.1:7700', silentMs: 1000 }, ['out-of-range silentMs']],
    [{ listen: '10.0.0.5:7700' }, ['cluster-plain listen']],
    [{ nodes: ['127.0.0.1:7700', '10.0.0.5:7700'], index: 0 }, ['cluster-plain nodes.1']],
  ])('of %o is refused: %o', async (cluster, problems) => {
    expect(await problemsOf(cluster)).toEqual(problems);
  });

  test('has places of nodes that are host and port', async () => {
    expect(await problemsOf({ nodes: ['here'], index: 0 })).toEqual([expect.stringMatching(/ nodes\.0$/)]);
    expect(await problemsOf({ listen: '127.0.0.1' })).toEqual([expect.stringMatching(/ listen$/)]);
  });

  test('has no file of SQLite for a store', async () => {
    const store = { type: 'sqlite', path: './a.db' };
    expect(await problemsOf({ nodes, index: 0 }, { store })).toEqual(['wrong-mode ']);
  });

  test('is one file for all nodes: the place comes from a variable, and files lie beside the config', async () => {
    const folder = await configFolder();
    const cluster = { nodes, index: '${NODE_INDEX}', tls };
    const file = await folder.write('openclaw.json', JSON.stringify({ agents: {}, cluster }));
    expect(await loadConfig(file, { env: { NODE_INDEX: '1' } })).toMatchObject({
      cluster: { nodes, index: 1, tls: { key: join(folder.path, 'node-key.pem') } },
    });
  });
});
