import { symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { configFolder, errorOf, inShort } from './fixtures/config-folder.ts';
import { loadConfig, validateConfig } from './load.ts';

const bound = (maxThreads: number) => `{ type: 'thread-bound', threadId: 'pool', maxThreads: ${maxThreads} }`;

/** A config of several files, `c.json` the first; agents `a` and `b` have a module. */
async function files(texts: Readonly<Record<string, string>>): Promise<string> {
  const folder = await configFolder(['a', 'b']);
  for (const [name, text] of Object.entries(texts)) await folder.write(name, text);
  return join(folder.path, 'c.json');
}

async function problems(texts: Readonly<Record<string, string>>): Promise<string[]> {
  const file = await files(texts);
  const error = await errorOf(file);
  return error.problems.map((one) => `${one.file?.replace(`${join(file, '..')}/`, '')} ${inShort(one)}`);
}

describe('$include', () => {
  test('of a config that is a link is looked for beside the link, and may be there or where the link leads', async () => {
    const target = await files({
      'dotfiles/c.json': `{ agents: { a: { $include: './a.json5' }, b: { $include: './b.json5' } } }`,
      'a.json5': bound(3),
      'dotfiles/b.json5': bound(3),
      'outside/c.json': `{ agents: { $include: '../a.json5' } }`,
    });
    const folder = join(target, '..');
    await symlink('dotfiles/b.json5', join(folder, 'b.json5'));
    await symlink('dotfiles/c.json', join(folder, 'c.json'));
    expect((await loadConfig(join(folder, 'c.json'))).agents.map(({ name }) => name)).toEqual(['a', 'b']);
    await symlink('outside/c.json', join(folder, 'd.json'));
    const { problems } = await errorOf(join(folder, 'd.json'));
    expect(problems).toMatchObject([{ code: 'include-outside' }]);
  });

  test('stands for the value of a file, relative to the file that it stands in', async () => {
    const file = await files({
      'c.json': `{ agents: { $include: 'parts/agents.json5' } }`,
      'parts/agents.json5': `{ a: { $include: './a.json5' } } // comments as everywhere`,
      'parts/a.json5': bound(3),
    });
    const { agents, pools } = await loadConfig(file);
    expect(agents.map(({ name }) => name)).toEqual(['a']);
    expect(pools[0]).toMatchObject({ threadId: 'pool', maxThreads: 3 });
  });

  test('of several files joins their objects, the later over the earlier, and what stands beside it over both', async () => {
    const file = await files({
      'c.json': `{ agents: { $include: ['one.json5', 'two.json5'], b: { maxThreads: 4 } } }`,
      'one.json5': `{ a: ${bound(1)}, b: ${bound(1)} }`,
      'two.json5': `{ a: { maxThreads: 4 } }`,
    });
    expect(await validateConfig(file)).toEqual({
      agents: {
        a: { type: 'thread-bound', threadId: 'pool', maxThreads: 4 },
        b: { type: 'thread-bound', threadId: 'pool', maxThreads: 4 },
      },
    });
  });

  test('a problem is shown where it was written, and what it conflicts with where that was', async () => {
    const file = await files({
      'c.json': `{ agents: { $include: 'agents.json5',\n  b: ${bound(2)} } }`,
      'agents.json5': `\n{ a: { type: 'thread-bond', threadId: 'pool',\n  maxThreads: 1 } }`,
    });
    const error = await errorOf(file);
    expect(error.problems.map(inShort)).toEqual([
      'max-threads-conflict 2:60 agents.b.maxThreads',
      'unknown-value 2:14 agents.a.type',
    ]);
    expect(error.problems[1]?.file).toMatch(/agents\.json5$/);
    expect(error.message).toContain(`agents.json5:3)`);
    expect(error.message).toContain(`2 | { a: { type: 'thread-bond'`);
  });

  test('a key that is missing in an included object is shown there', async () => {
    expect(
      await problems({
        'c.json': `{ agents: { $include: 'agents.json5' } }`,
        'agents.json5': `{\n a: { type: 'thread-bound', threadId: 'pool' } }`,
      }),
    ).toEqual(['agents.json5 missing-key 2:2 agents.a.maxThreads']);
  });

  test('every file that cannot be read is told at once, and nothing else is, since much may be missing', async () => {
    expect(
      await problems({
        'c.json': `{ agents: { a: { $include: 'none.json5' },\n b: { $include: 'broken.json5' } } }`,
        'broken.json5': `{ type: }`,
      }),
    ).toEqual(['c.json file-not-found 1:28 agents.a.$include', 'broken.json5 syntax 1:9 ']);
  });

  test.each([
    ['a number', `3`, 'c.json wrong-type 1:25 agents.$include'],
    ['no path', `[]`, 'c.json wrong-type 1:25 agents.$include'],
    ['what is no text', `['one.json5', 1]`, 'c.json wrong-type 1:25 agents.$include'],
    ['a file outside', `'../../etc/passwd'`, 'c.json include-outside 1:25 agents.$include'],
    ['itself', `'c.json'`, 'c.json include-cycle 1:25 agents.$include'],
    ['a list beside keys', `'list.json5', a: {}`, 'c.json wrong-type 1:11 agents'],
    ['a list among several', `['one.json5', 'list.json5']`, 'c.json wrong-type 1:39 agents.$include.1'],
  ])('%s is refused', async (_what, written, expected) => {
    const texts = {
      'c.json': `{ agents: { "$include": ${written} } }`,
      'one.json5': '{}',
      'list.json5': '[]',
    };
    expect(await problems(texts)).toEqual([expected]);
  });

  test('a link does not lead out of the folder', async () => {
    const outside = await configFolder();
    const secret = await outside.write('secret.json5', `{ token: 'canary-outside' }`);
    const file = await files({ 'c.json': `{ agents: { $include: 'link.json5' } }` });
    await symlink(secret, join(file, '..', 'link.json5'));
    const error = await errorOf(file);
    expect(error.problems.map(({ code }) => code)).toEqual(['include-outside']);
    expect(JSON.stringify([error.message, error.problems])).not.toContain('canary');
  });

  test('files that include each other without end are refused', async () => {
    expect(
      await problems({
        'c.json': `{ agents: { $include: 'x.json5' } }`,
        'x.json5': `{ a: { $include: 'y.json5' } }`,
        'y.json5': `{ mailbox: { $include: 'x.json5' } }`,
      }),
    ).toEqual(['y.json5 include-cycle 1:24 mailbox.$include']);
    const chain = Array.from({ length: 12 }, (_, n) => [`f${n}.json5`, `{ $include: 'f${n + 1}.json5' }`]);
    expect(await problems({ 'c.json': `{ $include: 'f0.json5' }`, ...Object.fromEntries(chain) })).toEqual([
      'f9.json5 include-too-deep 1:13 $include',
    ]);
  });

  test('files that include very many are refused soon', async () => {
    const ten = (name: string) => `{ $include: [${Array(10).fill(`'${name}'`).join(', ')}] }`;
    const found = await problems({
      'c.json': ten('x.json5'),
      'x.json5': ten('y.json5'),
      'y.json5': ten('z.json5'),
      'z.json5': '{}',
    });
    expect(found[0]).toMatch(/include-too-many/);
  });

  test('a forbidden key of an included file is found, and what stands under an unknown one is not shown', async () => {
    const file = await files({
      'c.json': `{ agents: {}, $include: 'more.json5' }`,
      'more.json5': `{ __proto__: 1, bot: 'canary-included' }`,
    });
    const error = await errorOf(file);
    expect(error.problems.map(inShort)).toEqual(['forbidden-key 1:3 __proto__', 'unknown-key 1:17 bot']);
    expect(error.message).not.toContain('canary');
  });
});

describe('${NAME}', () => {
  test('is filled in, in any text, from the environment', async () => {
    const file = await files({
      'c.json': `{ agents: { a: { type: 'thread-bound', threadId: '\${STAGE}-pool', maxThreads: 1 } },
        threads: { 'live-pool': { env: { PRICE: '$\${STAGE}', TWO: '\${A}\${B1_}', no: '\${lower} $A' } } } }`,
    });
    const { pools } = await loadConfig(file, { env: { STAGE: 'live', A: 'x', B1_: '' } });
    expect(pools[0]).toMatchObject({
      threadId: 'live-pool',
      env: { PRICE: '${STAGE}', TWO: 'x', no: '${lower} $A' },
    });
  });

  test('of a variable that is not set is a problem, in included files too', async () => {
    expect(
      await problems({
        'c.json': `{ agents: { a: { $include: 'a.json5' } } }`,
        'a.json5': `{ type: 'thread-bound', maxThreads: 1,\n threadId: '\${HOLDFAST_NOT_SET}' }`,
      }),
    ).toEqual(['a.json5 missing-variable 2:12 agents.a.threadId']);
  });

  test('is looked up in process.env, and not in a config object', async () => {
    const file = await files({
      'c.json': `{ agents: { a: { type: 'thread-bound', threadId: '\${PATH}', maxThreads: 1 } } }`,
    });
    expect((await loadConfig(file)).pools[0]?.threadId).toBe(process.env['PATH']);
    const agent = { type: 'thread-bound', threadId: '${PATH}', maxThreads: 1 } as const;
    expect(await validateConfig({ agents: { agent } })).toEqual({ agents: { agent } });
  });

  test('a value that was filled in is in no message', async () => {
    const texts = [
      `{ agents: { a: { type: '\${CANARY}', threadId: 'p', maxThreads: '\${CANARY}' } } }`,
      `{ agents: { a: ${bound(1)}, b: { type: 'thread-bound', threadId: 'pool', maxThreads: 2 } }, threads: { x: '\${CANARY}' } }`,
      `{ agents: { a: { type: 'thread-bound', threadId: '\${CANARY}', maxThreads: 1 }, b: { type: 'thread-bound', threadId: '\${CANARY}', maxThreads: 2 } } }`,
      `{ agents: {}, externalSecrets: { provider: '\${CANARY}', region: '\${CANARY}' } }`,
      `{ agents: {}, externalSecrets: { provider: 'exec', command: '\${CANARY}' } }`,
      `{ agents: { a: { type: 'thread-bound', threadId: 'p', maxThreads: 1, module: '\${CANARY}' } } }`,
      `{ agents: { a: { type: 'thread-bound', threadId: 'p', maxThreads: 1, secrets: { s: { ref: '\${CANARY}', mode: 'inject', hosts: ['\${CANARY}'] } } } } }`,
    ];
    for (const text of texts) {
      const error = await errorOf(await files({ 'c.json': text }), {
        env: { CANARY: 'canary "quoted" / ?' },
      });
      expect(JSON.stringify([error.message, error.problems])).not.toContain('canary');
    }
  });
});
