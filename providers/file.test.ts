import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { chmod, chown, link, mkdir, readFile, rename, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { inspect } from 'node:util';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { testSecretProvider } from '../runtime/testing/secret-provider-cases.ts';
import { createFileProvider, fileOptionProblems } from './file.ts';
import type { ProviderError, RotationHint, SecretProvider } from './provider.ts';

const canary = 'CANARY-file-81c2';
const { signal } = new AbortController();
const ref = (id: string) => ({ provider: 'default', id });
let folder: string;
let written = 0;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-file-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** Writes as everybody should: beside, then a rename. */
async function put(path: string, value: string | Uint8Array, mode = 0o600): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  const beside = `${path}.${(written += 1)}.new`;
  await writeFile(beside, value, { mode });
  await chmod(beside, mode);
  await rename(beside, path);
}

const read = async (provider: SecretProvider, id: string): Promise<string> =>
  new TextDecoder().decode((await provider.fetch(ref(id), {}, signal)).bytes);

async function refusal(provider: SecretProvider, id: string): Promise<ProviderError> {
  const error: unknown = await provider.fetch(ref(id), {}, signal).catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(Error);
  expect(inspect(error, { depth: null, showHidden: true })).not.toContain('CANARY');
  return error as ProviderError;
}

describe('with a folder the file provider keeps the rules of providers', () => {
  testSecretProvider({
    test,
    create: () => ({
      provider: createFileProvider({ root: folder }),
      id: (name) => `some/${name}`,
      put: (id, value) => put(join(folder, id), value),
      // A watch of a folder that is not there is tried again each second.
      ...(mkdirSync(join(folder, 'some')), {}),
    }),
  });
});

describe('with a JSON file the file provider keeps the rules of providers', () => {
  testSecretProvider({
    test,
    create() {
      const path = join(folder, 'secrets.json');
      const values: Record<string, string> = {};
      return {
        provider: createFileProvider({ path }),
        id: (name) => `/keys/${name}`,
        async put(id, value) {
          values[id.slice('/keys/'.length)] = value;
          await put(path, JSON.stringify({ keys: values }));
        },
      };
    },
  });
});

describe('with the links of Kubernetes the file provider keeps the rules of providers', () => {
  testSecretProvider({
    test,
    create() {
      const values: Record<string, string> = {};
      return {
        provider: createFileProvider({ root: folder, allowSymlinks: true }),
        async put(id, value) {
          values[id] = value;
          await mount(folder, values);
        },
      };
    },
  });
});

/** As the kubelet does: files in a new folder, the link `..data` swapped by a rename, links to what is behind it. */
async function mount(root: string, values: Record<string, string>): Promise<void> {
  const name = `..2026_${(written += 1)}`;
  for (const [id, value] of Object.entries(values)) await put(join(root, name, id), value, 0o400);
  await symlink(name, join(root, '..data.new'));
  await rename(join(root, '..data.new'), join(root, '..data'));
  for (const id of Object.keys(values)) {
    await symlink(join('..data', id), join(root, id)).catch(() => undefined);
  }
}

describe('values', () => {
  test.each([
    ['text', 'text'],
    ['text\n', 'text'],
    ['text\r\n', 'text'],
    ['two lines\n\n', 'two lines\n'],
    [' spaces ', ' spaces '],
  ])('of a text file %j comes %j', async (content, value) => {
    await put(join(folder, 'key'), content);
    expect(await read(createFileProvider({ root: folder }), 'key')).toBe(value);
  });

  test('bytes that are no text keep what looks like a newline', async () => {
    await put(join(folder, 'key'), Uint8Array.from([0xff, 0x00, 0x0a]));
    const { bytes } = await createFileProvider({ root: folder }).fetch(ref('key'), {}, signal);
    expect([...bytes]).toEqual([0xff, 0x00, 0x0a]);
  });

  test('one file with a single value has the id "value"', async () => {
    const path = join(folder, 'key.txt');
    await put(path, `${canary}\n`);
    const provider = createFileProvider({ path, mode: 'singleValue' });
    expect(await read(provider, 'value')).toBe(canary);
    expect(await refusal(provider, 'key.txt')).toMatchObject({
      failure: 'invalid',
      message: /must be "value"/,
    });
  });

  test('pointers go by RFC 6901, also into arrays; an object comes as JSON', async () => {
    const path = join(folder, 'secrets.json');
    const document = {
      none: null,
      'a/b': { 'c~d': 'one' },
      list: ['zero', { key: 'two' }],
      empty: '',
      number: 7,
      '': 'nameless',
    };
    await put(path, `\uFEFF${JSON.stringify(document)}`);
    const provider = createFileProvider({ path });
    expect(await read(provider, '/a~1b/c~0d')).toBe('one');
    expect(await read(provider, '/list/1/key')).toBe('two');
    expect(await read(provider, '/list/1')).toBe('{"key":"two"}');
    expect(await read(provider, '/')).toBe('nameless');
    expect((await refusal(provider, '/none')).message).toContain('has null at /none, which is not a secret');
    for (const id of [
      '/none',
      '/list/length',
      '/list/01',
      '/list/-1',
      '/toString',
      '/a~1b/nothing',
      '/empty/0',
    ]) {
      expect(await refusal(provider, id)).toMatchObject({ failure: 'not-found' });
    }
    for (const id of ['list', '/a~2b', '/number', '/empty']) {
      expect(await refusal(provider, id)).toMatchObject({ failure: 'invalid' });
    }
  });

  test('what is not JSON is told without a word of it', async () => {
    const path = join(folder, 'secrets.json');
    await put(path, `{"key": ${canary}}`);
    expect(await refusal(createFileProvider({ path }), '/key')).toMatchObject({
      failure: 'invalid',
      message: `${path} is not JSON. Correct it, or set the mode to "singleValue".`,
    });
  });

  test('an empty file and one that is too large are invalid', async () => {
    await put(join(folder, 'empty'), '\n');
    await put(join(folder, 'large'), canary.repeat(10));
    const provider = createFileProvider({ root: folder, maxBytes: 100 });
    expect(await refusal(provider, 'empty')).toMatchObject({ failure: 'invalid', message: /is empty/ });
    expect(await refusal(provider, 'large')).toMatchObject({
      failure: 'invalid',
      message: /larger than 100 bytes/,
    });
  });

  test('a path may begin with the home folder', async () => {
    vi.stubEnv('HOME', folder);
    await put(join(folder, 'secrets', 'key'), canary);
    const provider = createFileProvider({ path: '~/secrets/key', mode: 'singleValue' });
    expect(await read(provider, 'value')).toBe(canary);
    vi.unstubAllEnvs();
  });
});

describe('who may have been at a file', () => {
  test.each(['640', '604', '620', '602', '644', '666'])('the mode %s is refused', async (mode) => {
    const path = join(folder, 'key');
    await put(path, canary, Number.parseInt(mode, 8));
    const error = await refusal(createFileProvider({ root: folder }), 'key');
    expect(error).toMatchObject({
      failure: 'denied',
      message: expect.stringContaining(`Run: chmod go= ${path}`),
    });
  });

  test('what others may read is taken when that is said, never what they may write', async () => {
    await put(join(folder, 'key'), canary, 0o444);
    await put(join(folder, 'open'), canary, 0o464);
    const provider = createFileProvider({ root: folder, allowReadableByOthers: true });
    expect(await read(provider, 'key')).toBe(canary);
    expect(await refusal(provider, 'open')).toMatchObject({ failure: 'denied', message: /chmod go-w/ });
  });

  test('the mode is looked at again at every read', async () => {
    const path = join(folder, 'key');
    await put(path, canary);
    const provider = createFileProvider({ root: folder });
    expect(await read(provider, 'key')).toBe(canary);
    await chmod(path, 0o644);
    expect(await refusal(provider, 'key')).toMatchObject({ failure: 'denied' });
  });

  test.runIf(process.getuid?.() === 0)('a file of another user is refused', async () => {
    const path = join(folder, 'key');
    await put(path, canary);
    await chown(path, 12_345, 0);
    expect(await refusal(createFileProvider({ root: folder }), 'key')).toMatchObject({
      failure: 'denied',
      message: expect.stringContaining('belongs to the user 12345'),
    });
  });

  test('neither is looked at when that is said', async () => {
    await put(join(folder, 'key'), canary, 0o666);
    expect(await read(createFileProvider({ root: folder, allowInsecurePath: true }), 'key')).toBe(canary);
  });

  test('a hard link is refused', async () => {
    await put(join(folder, 'key'), canary);
    await link(join(folder, 'key'), join(folder, 'other'));
    expect(await refusal(createFileProvider({ root: folder }), 'key')).toMatchObject({
      failure: 'denied',
      message: expect.stringContaining('has 2 names'),
    });
  });

  test('a symbolic link is refused, in the folder and as the file', async () => {
    await put(join(folder, 'real', 'key'), canary);
    await symlink(join('real', 'key'), join(folder, 'key'));
    await symlink('real', join(folder, 'way'));
    const provider = createFileProvider({ root: folder });
    expect(await refusal(provider, 'key')).toMatchObject({ failure: 'denied', message: /set allowSymlinks/ });
    expect(await refusal(provider, 'way/key')).toMatchObject({
      failure: 'denied',
      message: /Set allowSymlinks/,
    });
    const path = join(folder, 'key');
    expect(await refusal(createFileProvider({ path, mode: 'singleValue' }), 'value')).toMatchObject({
      failure: 'denied',
    });
  });

  test('with links allowed, one that leads out of the folder is refused', async () => {
    await put(join(folder, 'outside'), canary);
    await put(join(folder, 'root', 'inside'), 'inside');
    await symlink(join('..', 'outside'), join(folder, 'root', 'key'));
    await symlink('inside', join(folder, 'root', 'way'));
    await symlink(folder, join(folder, 'root', 'up'));
    const provider = createFileProvider({ root: join(folder, 'root'), allowSymlinks: true });
    expect(await read(provider, 'way')).toBe('inside');
    expect(await refusal(provider, 'key')).toMatchObject({ failure: 'denied', message: /leads out of/ });
    expect(await refusal(provider, 'up/outside')).toMatchObject({ failure: 'denied' });
  });

  test('an id cannot leave the folder', async () => {
    await put(join(folder, 'outside'), canary);
    await put(join(folder, 'root', 'inside'), 'inside');
    const provider = createFileProvider({ root: join(folder, 'root') });
    for (const id of [
      '../outside',
      'a/../../outside',
      '/etc/passwd',
      './inside',
      'a//b',
      'a\\b',
      'a\0b',
      '..',
    ]) {
      expect(await refusal(provider, id)).toMatchObject({ failure: 'invalid' });
    }
  });

  test('a folder, a named pipe and a device are no files', async () => {
    await mkdir(join(folder, 'folder'));
    execFileSync('mkfifo', [join(folder, 'pipe')]);
    const provider = createFileProvider({ root: folder });
    expect(await refusal(provider, 'folder')).toMatchObject({
      failure: 'denied',
      message: /not a regular file/,
    });
    expect(await refusal(provider, 'pipe')).toMatchObject({
      failure: 'denied',
      message: /not a regular file/,
    });
    const device = createFileProvider({ path: '/dev/zero', mode: 'singleValue' });
    expect(await refusal(device, 'value')).toMatchObject({
      failure: 'denied',
      message: /not a regular file/,
    });
  });
});

describe('the watch', () => {
  interface Watching {
    readonly hints: RotationHint[];
    readonly troubles: ProviderError[];
    readonly end: () => Promise<void>;
  }

  function watch(provider: SecretProvider): Watching {
    const ending = new AbortController();
    const hints: RotationHint[] = [];
    const troubles: ProviderError[] = [];
    const watching = provider.watch?.(
      (hint) => hints.push(hint),
      ending.signal,
      (trouble) => troubles.push(trouble),
    );
    return {
      hints,
      troubles,
      async end() {
        ending.abort();
        await watching;
      },
    };
  }

  const until = (check: () => void) => vi.waitFor(check, { timeout: 60_000, interval: 5 });

  test('tells each secret of a folder that changed, and no other', async () => {
    await put(join(folder, 'a', 'one'), 'one');
    await put(join(folder, 'b', 'two'), 'two');
    const provider = createFileProvider({ root: folder });
    for (const id of ['a/one', 'b/two']) await provider.fetch(ref(id), {}, signal);
    const { hints, end } = watch(provider);
    await put(join(folder, 'b', 'two'), 'two again');
    await until(() => expect(hints).toHaveLength(1));
    expect(hints[0]).toEqual({
      id: 'b/two',
      versionId: (await provider.describe(ref('b/two'), signal)).current,
      source: 'file',
    });
    await put(join(folder, 'a', 'one'), 'one again');
    await until(() => expect(hints.map(({ id }) => id)).toEqual(['b/two', 'a/one']));
    await end();
  });

  test('tells of what changed between the first read and the watch', async () => {
    await put(join(folder, 'key'), 'one');
    const provider = createFileProvider({ root: folder });
    await provider.fetch(ref('key'), {}, signal);
    await put(join(folder, 'key'), 'two');
    const { hints, end } = watch(provider);
    await until(() => expect(hints).toHaveLength(1));
    await end();
  });

  test('tells of a secret that goes, one that comes back, and one that is asked for later', async () => {
    await put(join(folder, 'key'), 'one');
    const provider = createFileProvider({ root: folder });
    await provider.fetch(ref('key'), {}, signal);
    const { hints, troubles, end } = watch(provider);
    await rm(join(folder, 'key'));
    await until(() => expect(hints).toEqual([{ id: 'key', source: 'file' }]));
    await put(join(folder, 'key'), 'two');
    await until(() => expect(hints).toHaveLength(2));
    await refusal(provider, 'later/key');
    await put(join(folder, 'later', 'key'), 'three');
    await until(() => expect(hints.at(-1)).toMatchObject({ id: 'later/key', versionId: expect.any(String) }));
    await end();
    // The folder of the last one was not there at first.
    expect(troubles.every(({ message }) => message.includes(join(folder, 'later')))).toBe(true);
  });

  test('goes on when the folder itself is replaced', async () => {
    const root = join(folder, 'root');
    await put(join(root, 'key'), 'one');
    const provider = createFileProvider({ root });
    await provider.fetch(ref('key'), {}, signal);
    const { hints, end } = watch(provider);
    for (const value of ['two', 'three']) {
      const before = hints.length;
      await put(join(folder, 'next', 'key'), value);
      await rename(root, join(folder, `old-${value}`));
      await rename(join(folder, 'next'), root);
      await until(() => {
        expect(hints.length).toBeGreaterThan(before);
        expect(hints.at(-1)?.versionId).toBeDefined();
      });
    }
    await end();
  });

  test('says once what is wrong with a file and how to put it right', async () => {
    const path = join(folder, 'key');
    await put(path, canary, 0o644);
    const provider = createFileProvider({ root: folder });
    await refusal(provider, 'key');
    const { hints, troubles, end } = watch(provider);
    await until(() => expect(troubles).toHaveLength(1));
    expect(troubles[0]?.message).toContain(`chmod go= ${path}`);
    await put(join(folder, 'other'), 'x');
    await chmod(path, 0o600);
    await until(() => expect(hints).toHaveLength(1));
    expect(troubles).toHaveLength(1);
    await end();
  });

  test('is not there when it is not wanted', () => {
    const provider = createFileProvider({ root: folder, watch: false });
    expect([provider.capabilities, 'watch' in provider]).toEqual([{ versions: true }, false]);
  });
});

describe('options', () => {
  test.each([
    [{ root: '/run/secrets', allowSymlinks: true, allowReadableByOthers: true, watch: false }, []],
    [{ path: '~/.config/secrets.json', mode: 'json', maxBytes: 10, timeoutMs: 10 }, []],
    [undefined, [expect.stringContaining('"path" or "root" is needed')]],
    [{ path: '/a', root: '/b' }, ['"path" and "root" exclude each other']],
    [{ root: '/b', mode: 'json' }, [expect.stringContaining('"mode" says')]],
    [{ path: 'secrets.json' }, [expect.stringContaining('"path" must be an absolute path')]],
    [{ path: '/a', mode: 'yaml' }, ['"mode" must be "json" or "singleValue", not string']],
    [{ path: '/a', watch: 'yes' }, ['"watch" must be true or false, not string']],
    [
      { path: '/a', pth: '/b' },
      [expect.stringContaining('"pth" is not an option; there are: path, mode, root')],
    ],
  ])('%j have the problems %j', (options, problems) => {
    expect(fileOptionProblems(options)).toEqual(problems);
  });

  test('wrong ones are refused', () => {
    expect(() => createFileProvider({})).toThrow(/"path" or "root" is needed/);
  });
});

describe('a new value', () => {
  const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

  test('takes the place of the old one in a folder, and is the version that is read', async () => {
    await put(join(folder, 'db/password'), 'old');
    const provider = createFileProvider({ root: folder, watch: false });
    const before = await provider.describe(ref('db/password'), signal);
    await provider.put?.(ref('db/password'), bytes(canary), signal);
    expect(await read(provider, 'db/password')).toBe(canary);
    expect((await provider.describe(ref('db/password'), signal)).current).not.toBe(before.current);
    expect((await stat(join(folder, 'db/password'))).mode & 0o777).toBe(0o600);
  });

  test('with a newline at its end keeps it', async () => {
    await put(join(folder, 'key'), 'old');
    const provider = createFileProvider({ root: folder, watch: false });
    await provider.put?.(ref('key'), bytes('a\n'), signal);
    expect(await read(provider, 'key')).toBe('a\n');
  });

  test('changes one value of a JSON file and nothing else', async () => {
    const path = join(folder, 'secrets.json');
    await put(path, JSON.stringify({ keys: { 'a/b': 'old', c: { user: 'u' } }, other: [1] }));
    const provider = createFileProvider({ path, watch: false });
    await provider.put?.(ref('/keys/a~1b'), bytes(canary), signal);
    await provider.put?.(ref('/keys/c'), bytes('{"user":"v"}'), signal);
    expect(JSON.parse(await readFile(path, 'utf8'))).toEqual({
      keys: { 'a/b': canary, c: { user: 'v' } },
      other: [1],
    });
  });

  test('in a JSON file leaves every byte beside it as it was: layout, digits, names that are written twice', async () => {
    const path = join(folder, 'secrets.json');
    const text = (key: string, parts: string): string =>
      `\uFEFF{\r\n\t"keys": { "openai" :{"apiKey":${key}} },\n  "parts":${parts},  "chat": -1001234567890123456789,\n` +
      '"guild":1234567890123456789,"ratio": 1.10, "big": 1e400, "twice": 1, "twice": "g\\u00fc", "pin": 42 }\n\n';
    const before = text('"old-\\u00fc"', '{"a": 1.0}');
    await put(path, before);
    const provider = createFileProvider({ path, watch: false });
    await provider.put?.(ref('/keys/openai/apiKey'), bytes(`${canary} "ü"`), signal);
    expect(await readFile(path, 'utf8')).toBe(text(JSON.stringify(`${canary} "ü"`), '{"a": 1.0}'));
    expect(await read(provider, '/parts')).toBe('{"a": 1.0}');
    await provider.put?.(ref('/parts'), bytes('[12345678901234567890, 1.10]'), signal);
    expect(await readFile(path, 'utf8')).toBe(
      text(JSON.stringify(`${canary} "ü"`), '[12345678901234567890, 1.10]'),
    );
    expect(await read(provider, '/parts')).toBe('[12345678901234567890, 1.10]');
    // A number could not be read back.
    await provider.put?.(ref('/pin'), bytes('0042'), signal);
    await provider.put?.(ref('/pin'), bytes('42'), signal);
    expect(await read(provider, '/pin')).toBe('42');
  });

  test('that no JSON can hold, or that is not of several parts as the old one, is refused without a word of it', async () => {
    const path = join(folder, 'secrets.json');
    const before = '{"a":"b","parts":{"c":1}}';
    await put(path, before);
    const provider = createFileProvider({ path, watch: false });
    const refused = async (id: string, value: Uint8Array): Promise<unknown> =>
      provider.put?.(ref(id), value, signal).catch((error: unknown) => error);
    for (const error of [
      await refused('/a', Uint8Array.from([0xff, 0xfe])),
      await refused('/parts', bytes(`{${canary}`)),
      await refused('/parts', bytes(canary)),
    ]) {
      expect([provider.classify(error), String(error)]).toEqual([
        'invalid',
        expect.not.stringContaining(canary),
      ]);
    }
    expect(await readFile(path, 'utf8')).toBe(before);
  });

  test('makes nothing that is not there, and follows no link', async () => {
    const path = join(folder, 'secrets.json');
    await put(path, '{"a":"b"}');
    const failure = async (provider: SecretProvider, id: string): Promise<unknown> =>
      provider.put?.(ref(id), bytes(canary), signal).catch((error: unknown) => provider.classify(error));
    expect(await failure(createFileProvider({ path, watch: false }), '/b')).toBe('not-found');
    expect(await failure(createFileProvider({ root: folder, watch: false }), 'none')).toBe('not-found');
    await put(join(folder, 'target'), 'old');
    await symlink(join(folder, 'target'), join(folder, 'link'));
    expect(await failure(createFileProvider({ root: folder, watch: false }), 'link')).toBe('denied');
    const following = createFileProvider({ root: folder, watch: false, allowSymlinks: true });
    expect(await failure(following, 'link')).toBe('denied');
    expect(await readFile(join(folder, 'target'), 'utf8')).toBe('old');
  });
});
