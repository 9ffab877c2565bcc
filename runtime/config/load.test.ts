import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { afterEach, describe, expect, test } from 'vitest';
import { createRuntime } from '../runtime.ts';
import { configFolder, errorOf } from './fixtures/config-folder.ts';
import { loadConfig, validateConfig } from './load.ts';

const seed = new URL('./fixtures/seed-openclaw.json', import.meta.url);
const home = process.cwd();
afterEach(() => process.chdir(home));

const bound = { type: 'thread-bound', threadId: 'pool', maxThreads: 2 } as const;

describe('the seed config', () => {
  test('is byte for byte the one of the owner', async () => {
    const digest = createHash('sha256')
      .update(await readFile(seed))
      .digest('hex');
    expect(digest).toBe('9d3d848317be32cbdf1ca3b4533cc45ab52bf04aafe6674af06a7e96854a7d40');
  });

  test('loads with every default applied', async () => {
    const loaded = await loadConfig(seed);
    expect(loaded.file).toBe(fileURLToPath(seed));
    expect(loaded.agents.map(({ name, threadId }) => [name, threadId])).toEqual([
      ['security-agent', 'security-threads'],
      ['finance-agent', 'finance-threads'],
      ['trading-agent', 'trading-pool'],
    ]);
    expect(loaded.agents[2]).toEqual({
      name: 'trading-agent',
      threadId: 'trading-pool',
      moduleUrl: new URL('./fixtures/agents/trading-agent.ts', import.meta.url).href,
      exportName: 'default',
      capacity: 1000,
      overflow: 'reject',
      drain: 'finish',
      warnBytes: 65_536,
      maxBytes: 1_048_576,
      supervision: {
        restart: 'transient',
        strategy: 'one-for-one',
        intensity: { restarts: 5, withinMs: 30_000 },
        backoff: { minMs: 200, maxMs: 10_000, factor: 2, jitter: 0.2 },
      },
      durable: true,
      timers: 'deadline',
      placement: 'fewest',
      mirror: 'latest',
      maxIterations: 10_000,
      grants: [],
    });
    expect(loaded.pools.map(({ threadId, maxThreads }) => [threadId, maxThreads])).toEqual([
      ['security-threads', 4],
      ['finance-threads', 2],
      ['trading-pool', 8],
    ]);
    expect(loaded.pools[0]).toEqual({
      threadId: 'security-threads',
      maxThreads: 4,
      minThreads: 0,
      idleTimeoutMs: 60_000,
      isolation: 'thread',
      permissions: { read: [], write: [], net: false },
      env: {},
      sharedMemory: false,
      watchdog: { warnMs: 1000, killMs: 15_000 },
      startTimeoutMs: 10_000,
      intensity: { restarts: 3, withinMs: 60_000 },
      activatedInstances: 1000,
    });
    expect(loaded.providers).toEqual([
      {
        alias: 'default',
        provider: 'aws-secrets-manager',
        cacheTtlMs: 300_000,
        maxStaleMs: 900_000,
        options: { region: 'ap-east-1' },
      },
    ]);
  });
});

describe('a file', () => {
  const minimal = '{agents: {a: {type: "thread-bound", threadId: "p", maxThreads: 1}}}';

  test('may be given as a path relative to the working directory, an absolute path or a URL', async () => {
    const folder = await configFolder(['a']);
    const file = await folder.write('c.json5', minimal);
    process.chdir(folder.path);
    for (const source of ['c.json5', './c.json5', file, pathToFileURL(file), pathToFileURL(file).href]) {
      expect(await loadConfig(source)).toMatchObject({ file, agents: [{ name: 'a' }] });
    }
  });

  test('may have comments, trailing commas, single quotes, hex numbers, a BOM and CRLF', async () => {
    const folder = await configFolder(['a']);
    const text = [
      '\uFEFF// a comment',
      "{ $schema: './schema.json',",
      '  agents: { a: { type: \'thread-bound\', "threadId": "p", maxThreads: 0x10, }, }, /* more */',
      '}',
    ];
    const loaded = await loadConfig(await folder.write('c.json5', text.join('\r\n')));
    expect(loaded.pools).toMatchObject([{ threadId: 'p', maxThreads: 16 }]);
  });

  test('without agents is allowed', async () => {
    const folder = await configFolder();
    const loaded = await loadConfig(await folder.write('c.json', '{"agents":{}}'));
    expect(loaded).toMatchObject({ agents: [], pools: [], providers: [] });
  });

  test('of exactly one MiB loads, of one byte more is refused', async () => {
    const folder = await configFolder(['a']);
    const full = minimal.padEnd(1024 * 1024, ' ');
    expect(await loadConfig(await folder.write('full.json', full))).toMatchObject({
      agents: [{ name: 'a' }],
    });
    const error = await errorOf(await folder.write('over.json', `${full} `));
    expect(error.problems).toMatchObject([{ code: 'file-too-large' }]);
    expect(error.message).toContain('at most 1048576 bytes, this one has 1048577');
  });

  test('that is not there, a folder, not UTF-8, or not on this machine is one problem without a line', async () => {
    const folder = await configFolder(['a']);
    const pipe = join(folder.path, 'pipe');
    execFileSync('mkfifo', [pipe]);
    const latin1 = await folder.write('latin1.json', Buffer.from('{"agents": {"\xe9": 1}}', 'latin1'));
    for (const [source, code] of [
      [join(folder.path, 'none.json'), 'file-not-found'],
      [new URL('https://user:canary@example.com/c.json'), 'file-not-found'],
      ['file://%%%', 'file-not-found'],
      [folder.path, 'file-unreadable'],
      [pipe, 'file-unreadable'],
      ['/dev/zero', 'file-unreadable'],
      ['nul\0byte', 'file-unreadable'],
      [latin1, 'syntax'],
    ] as const) {
      const error = await errorOf(source);
      expect(error.code).toBe('CONFIG_INVALID');
      expect(error.problems).toMatchObject([{ code }]);
      expect(error.problems[0]).not.toHaveProperty('line');
      expect(error.message).not.toContain('canary');
    }
  });
});

describe('what is no config at all', () => {
  test.each([
    [null, 'null'],
    [undefined, 'nothing'],
    [5, '5'],
    [true, 'true'],
    [() => ({ agents: {} }), 'a function'],
  ])('%o is one problem that says what to give instead', async (source, got) => {
    for (const load of [loadConfig, validateConfig, createRuntime]) {
      const message = `expected a config object, or the path or file: URL of a config file, got ${got}`;
      await expect(load(source as never)).rejects.toMatchObject({
        code: 'CONFIG_INVALID',
        message: `CONFIG_INVALID: 1 problem in the config object\n  ${message}`,
        problems: [{ code: 'wrong-type', path: [], message }],
      });
    }
  });
});

describe('modules', () => {
  test('are the first of .ts, .mts, .cts, .js, .mjs and .cjs in agents beside the file', async () => {
    const folder = await configFolder();
    const file = await folder.write('c.json', JSON.stringify({ agents: { a: bound } }));
    for (const extension of ['cjs', 'mjs', 'js', 'cts', 'mts', 'ts']) {
      const module = await folder.write(`agents/a.${extension}`, 'throw new Error("loaded")');
      const loaded = await loadConfig(file);
      expect(loaded.agents[0]?.moduleUrl).toBe(pathToFileURL(module).href);
    }
  });

  test('may be a path relative to the file, an absolute path or a file: URL', async () => {
    const folder = await configFolder();
    const module = await folder.write('lib/my agent#1.ts', '');
    const { href } = pathToFileURL(module);
    for (const written of ['./lib/my agent#1.ts', 'lib/my agent#1.ts', module, href]) {
      const config = { agents: { x: { ...bound, module: written, export: 'desk' } } };
      const loaded = await loadConfig(await folder.write('c.json', JSON.stringify(config)));
      expect(loaded.agents).toMatchObject([{ moduleUrl: href, exportName: 'desk' }]);
    }
  });

  test('of a config object are relative to the working directory, or URLs as they are', async () => {
    const folder = await configFolder(['a']);
    process.chdir(folder.path);
    const url = pathToFileURL(join(folder.path, 'agents/a.ts'));
    const withQuery = new URL('?v=1', url);
    const loaded = await loadConfig({
      agents: {
        a: bound,
        path: { ...bound, module: 'agents/a.ts' },
        url: { ...bound, module: url },
        query: { ...bound, module: withQuery },
      },
    });
    expect(loaded.agents.map(({ moduleUrl }) => moduleUrl)).toEqual([
      url.href,
      url.href,
      url.href,
      withQuery.href,
    ]);
    expect(loaded).not.toHaveProperty('file');
  });

  test('that are not there are all reported, with every path that was tried', async () => {
    const folder = await configFolder(['b']);
    const config = { agents: { a: bound, b: bound, c: { ...bound, module: './agents' } } };
    const error = await errorOf(await folder.write('c.json', JSON.stringify(config, null, 2)));
    expect(error.code).toBe('AGENT_MODULE_NOT_FOUND');
    expect(error.message).toMatch(/^AGENT_MODULE_NOT_FOUND: 2 problems in /);
    expect(error.problems).toMatchObject([
      { code: 'module-not-found', path: ['agents', 'a', 'module'], line: 3, column: 5 },
      { code: 'module-not-found', path: ['agents', 'c', 'module'], line: 17, column: 17 },
    ]);
    for (const extension of ['ts', 'mts', 'cts', 'js', 'mjs', 'cjs']) {
      expect(error.problems[0]?.message).toContain(join(folder.path, `agents/a.${extension}`));
    }
    expect(error.problems[1]?.message).toContain(`${join(folder.path, 'agents')} (not a file)`);
  });

  test('that are not files on this machine are problems, never another error', async () => {
    for (const [module, code] of [
      [new URL('https://example.com/a.ts'), 'wrong-type'],
      ['file:', 'module-not-found'],
      ['file:///a%2fb.ts', 'module-not-found'],
      ['nul\0byte.ts', 'module-not-found'],
      ['file://%%', 'wrong-type'],
    ] as const) {
      const error = await errorOf({ agents: { a: { ...bound, module } } });
      expect([module, ...error.problems]).toMatchObject([module, { code }]);
    }
  });

  test('are not looked for by validateConfig', async () => {
    const folder = await configFolder();
    const config = { agents: { a: bound } };
    expect(await validateConfig(await folder.write('c.json', JSON.stringify(config)))).toEqual(config);
    await expect(validateConfig({ agents: { a: { ...bound, maxThreads: 0 } } })).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      problems: [{ code: 'out-of-range' }],
    });
  });
});

describe('what is resolved', () => {
  const grant = (ref: unknown) => ({ ref, mode: 'capability', capabilities: ['sign'] });

  test('a grant may name its secret in a word, with a field, or as an object', async () => {
    const folder = await configFolder(['a']);
    const config = {
      externalSecrets: { provider: 'env' },
      secrets: { providers: { vault: { provider: 'my-vault', cacheTTL: 0.5, mount: 'kv' } } },
      agents: {
        a: {
          ...bound,
          secrets: {
            word: grant('prod/key'),
            field: grant('prod/key#user#id'),
            object: grant({ provider: 'vault', id: 'k', jsonKey: 'j', stage: 'AWSPREVIOUS' }),
            short: grant({ id: 'a#b' }),
          },
        },
      },
    };
    const loaded = await loadConfig(await folder.write('c.json', JSON.stringify(config)), {
      customProviders: ['my-vault'],
    });
    const rest = { mode: 'capability', capabilities: ['sign'] };
    expect(loaded.agents[0]?.grants).toEqual([
      { label: 'word', provider: 'default', id: 'prod/key', ...rest },
      { label: 'field', provider: 'default', id: 'prod/key', jsonKey: 'user#id', ...rest },
      { label: 'object', provider: 'vault', id: 'k', jsonKey: 'j', stage: 'AWSPREVIOUS', ...rest },
      { label: 'short', provider: 'default', id: 'a#b', ...rest },
    ]);
    expect(loaded.providers).toEqual([
      { alias: 'default', provider: 'env', cacheTtlMs: 300_000, maxStaleMs: 900_000, options: {} },
      {
        alias: 'vault',
        provider: 'my-vault',
        cacheTtlMs: 500,
        maxStaleMs: 900_000,
        options: { mount: 'kv' },
      },
    ]);
  });

  test('one grant closes off the whole pool, unless isolation is written', async () => {
    const folder = await configFolder(['a', 'b', 'c', 'd']);
    const secrets = { key: grant('k') };
    const config = {
      externalSecrets: { provider: 'env' },
      agents: {
        a: { ...bound, threadId: 'closed' },
        b: { ...bound, threadId: 'closed', secrets },
        c: { ...bound, threadId: 'written', secrets },
        d: { ...bound, threadId: 'open' },
      },
      threads: { written: { isolation: 'thread' } },
    };
    const loaded = await loadConfig(await folder.write('c.json', JSON.stringify(config)));
    expect(loaded.pools.map(({ threadId, isolation }) => [threadId, isolation])).toEqual([
      ['closed', 'thread+permissions'],
      ['written', 'thread'],
      ['open', 'thread'],
    ]);
  });

  test('what is written wins over each default', async () => {
    const folder = await configFolder(['a']);
    const pool = {
      minThreads: 1,
      idleTimeoutMs: 0,
      isolation: 'thread+permissions',
      permissions: { read: ['./data', '/etc/hosts', '*'], write: ['out'], net: true },
      env: { LANG: 'C', EMPTY: '' },
      resourceLimits: { maxOldGenerationSizeMb: 64, stackSizeMb: 0.5 },
      sharedMemory: true,
      watchdog: { warnMs: 0, killMs: 1 },
      heapBudgetMb: 48,
      startTimeoutMs: 1,
      intensity: { restarts: 0, withinMs: 1 },
      activatedInstances: 0,
    };
    const agent = {
      ...bound,
      mailbox: { capacity: 1, overflow: 'drop-oldest', warnBytes: 1, maxBytes: 1 },
      supervision: {
        restart: 'permanent',
        intensity: { restarts: 0, withinMs: 1 },
        backoff: { factor: 1.5 },
      },
      placement: { key: true },
      mirror: 'all',
      maxIterations: 1,
    };
    const config = { agents: { a: agent }, threads: { pool } };
    const loaded = await loadConfig(await folder.write('c.json', JSON.stringify(config)));
    expect(loaded.pools).toEqual([
      {
        ...pool,
        threadId: 'pool',
        maxThreads: 2,
        permissions: {
          read: [join(folder.path, 'data'), '/etc/hosts', '*'],
          write: [join(folder.path, 'out')],
          net: true,
        },
      },
    ]);
    expect(loaded.agents).toMatchObject([
      {
        capacity: 1,
        overflow: 'drop-oldest',
        warnBytes: 1,
        maxBytes: 1,
        supervision: {
          restart: 'permanent',
          intensity: { restarts: 0, withinMs: 1 },
          backoff: { minMs: 200, maxMs: 10_000, factor: 1.5, jitter: 0.2 },
        },
        placement: { key: true },
        mirror: 'all',
        maxIterations: 1,
      },
    ]);
  });

  test('the budget of a heap follows from its limit, unless it is written', async () => {
    const folder = await configFolder(['a', 'b', 'c']);
    const agents = Object.fromEntries(['a', 'b', 'c'].map((name) => [name, { ...bound, threadId: name }]));
    const resourceLimits = { maxOldGenerationSizeMb: 100 };
    const threads = { a: { resourceLimits }, b: { resourceLimits, heapBudgetMb: 10 } };
    const loaded = await loadConfig(await folder.write('c.json', JSON.stringify({ agents, threads })));
    expect(loaded.pools.map(({ heapBudgetMb }) => heapBudgetMb)).toEqual([80, 10, undefined]);
  });

  test('agents of one threadId share one pool', async () => {
    const folder = await configFolder(['a', 'b']);
    const loaded = await loadConfig(
      await folder.write('c.json', JSON.stringify({ agents: { a: bound, b: bound } })),
    );
    expect(loaded.pools).toHaveLength(1);
  });

  test('a config object is not changed', async () => {
    const config = {
      agents: { a: { ...bound, module: new URL('./fixtures/agents/trading-agent.ts', import.meta.url) } },
    };
    const before = structuredClone({ ...config.agents.a, module: config.agents.a.module.href });
    await loadConfig(config);
    expect({ ...config.agents.a, module: config.agents.a.module.href }).toEqual(before);
  });
});
