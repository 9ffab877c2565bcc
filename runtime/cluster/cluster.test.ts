import { createRuntime, sqliteStore } from 'holdfast';
import { cluster } from 'holdfast/cluster';
import { expect, it } from 'vitest';

const nodes = ['127.0.0.1:7700', '127.0.0.1:7701'];

it('options of which some are wrong are refused, all at once', () => {
  const wrong = { nodes: ['here', '10.0.0.5:7700'], index: 2, tls: { ca: 'none' }, silentMs: 1 } as never;
  expect(() => cluster(wrong)).toThrow(
    expect.objectContaining({
      code: 'OPTION_INVALID',
      message: expect.stringMatching(/tls[\s\S]*silentMs[\s\S]*nodes\[0\][\s\S]*index/),
    }),
  );
  expect(() => cluster(undefined as never)).toThrow(/options has to be an object/);
  expect(() => cluster({} as never)).toThrow(/nodes[\s\S]*index/);
  const unreadable = { ca: 'a secret', cert: 'a secret', key: 'a secret' };
  expect(() => cluster({ nodes, index: 0, tls: unreadable })).toThrow(/^(?!.*a secret).*tls has to be/s);
});

it('nodes of several machines need tls', () => {
  expect(() => cluster({ nodes: ['127.0.0.1:7700', '10.0.0.5:7700'], index: 0 })).toThrow(
    expect.objectContaining({ code: 'CLUSTER_PLAIN' }),
  );
});

it('a runtime of several needs a store that several have', async () => {
  const of = cluster({ nodes, index: 0 });
  for (const store of [undefined, sqliteStore({ path: ':memory:' })])
    await expect(
      createRuntime({ agents: {} }, { cluster: of, ...(store && { store }) }),
    ).rejects.toMatchObject({
      code: 'OPTION_INVALID',
      message: expect.stringContaining('postgresStore()'),
    });
  await expect(createRuntime({ agents: {} }, { cluster: { nodes, index: 0 } })).rejects.toMatchObject({
    code: 'OPTION_INVALID',
    message: expect.stringContaining('what cluster() of holdfast/cluster returns'),
  });
});
