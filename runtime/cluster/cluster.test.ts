import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { createRuntime, type HoldfastError, sqliteStore } from 'holdfast';
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

it('a list of nodes and what is for nodes that come and go exclude each other, and it is said with all else', () => {
  const problems = (options: object): string => {
    try {
      cluster(options as never);
      return '';
    } catch (error) {
      const { code, message } = error as HoldfastError;
      return `${code} ${message}`;
    }
  };
  expect(problems({ nodes, index: 0, listen: '127.0.0.1:7700', lockMs: 1 })).toMatch(
    /(?=.*nodes does not go with listen)(?=.*index does not go with listen)(?=.*lockMs has to be)/s,
  );
  expect(problems({ nodes, index: 0, lockMs: 4000, rowLocks: true })).toMatch(
    /(?=.*lockMs goes with listen)(?=.*rowLocks goes with listen)/s,
  );
  const wrong = { listen: '0.0.0.0:7700', lockMs: 20_001, rowLocks: 1, silentMs: 1000 };
  expect(problems(wrong)).toMatch(
    /^(?!.*nodes has)(?=.*listen has to be)(?=.*lockMs)(?=.*rowLocks)(?=.*silentMs has to be at least 2000)/s,
  );
  expect(problems({})).toMatch(/^OPTION_INVALID.*nodes.*index.*listen/s);
  expect(cluster({ listen: '127.0.0.1:7700', lockMs: 3000, rowLocks: true, silentMs: 2000 })).toMatchObject({
    listen: '127.0.0.1:7700',
  });
  expect(() => cluster({ listen: '10.0.0.5:7700' })).toThrow(
    expect.objectContaining({ code: 'CLUSTER_PLAIN' }),
  );
});

it('nodes that come and go need packages that others do not load, and the error says which', async () => {
  const program = `
    import { registerHooks } from 'node:module';
    const loaded = [];
    registerHooks({
      resolve(specifier, context, next) {
        if (!/^(effect|@effect|pg)(\\/|$)/.test(specifier)) return next(specifier, context);
        loaded.push(specifier);
        throw Object.assign(new Error('not there'), { code: 'ERR_MODULE_NOT_FOUND' });
      },
    });
    const { createRuntime } = await import('holdfast');
    const { cluster, postgresStore } = await import('holdfast/cluster');
    const store = postgresStore({ url: 'postgresql:///none?host=/none' });
    const joining = cluster({ listen: '127.0.0.1:7700' });
    const before = [...loaded];
    const { code, message } = await createRuntime({ agents: {} }, { store, cluster: joining }).catch((error) => error);
    console.log(JSON.stringify({ before, code, message }));`;
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ['-C', 'holdfast-source', '--no-warnings', '--input-type=module', '-e', program],
    { timeout: 60_000 },
  );
  expect(JSON.parse(stdout)).toEqual({
    before: [],
    code: 'OPTION_INVALID',
    message: expect.stringContaining('npm install effect@4 @effect/sql-pg@4 pg'),
  });
});

it('nodes of several machines need tls', () => {
  expect(() => cluster({ nodes: ['127.0.0.1:7700', '10.0.0.5:7700'], index: 0 })).toThrow(
    expect.objectContaining({ code: 'CLUSTER_PLAIN' }),
  );
});

it('a runtime of several needs a store that several have', async () => {
  for (const [store, of] of [undefined, sqliteStore({ path: ':memory:' })].flatMap((one) => [
    [one, cluster({ nodes, index: 0 })] as const,
    [one, cluster({ listen: '127.0.0.1:7700' })] as const,
  ]))
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
