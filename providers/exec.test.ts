import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { chmod, chown, mkdir, readFile, realpath, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { testSecretProvider } from '../runtime/testing/secret-provider-cases.ts';
import { createExecProvider, execOptionProblems } from './exec.ts';
import type { ProviderError, SecretProvider } from './provider.ts';

const canary = 'CANARY-exec-5d0e';
const { signal } = new AbortController();
const ref = (id: string) => ({ provider: 'vault', id, stage: 'AWSCURRENT' });
let folder: string;

beforeEach(async () => {
  folder = await realpath(mkdtempSync(join(tmpdir(), 'holdfast-exec-')));
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true, force: true });
});

/** A resolver as users write them. `body` is the text after the first line. */
function script(body: string, interpreter = process.execPath, name = 'resolver'): string {
  const path = join(folder, name);
  writeFileSync(path, `#!${interpreter}\n${body}`, { mode: 0o700 });
  return path;
}
const shell = (body: string, name?: string): string => script(body, '/bin/sh', name);

/** Answers whatever it is asked with this. */
const answering = (answer: unknown): string =>
  script(`process.stdout.write(${JSON.stringify(JSON.stringify(answer))})`);
const answer = (rest: object): object => ({ protocolVersion: 1, values: {}, ...rest });

const read = async (provider: SecretProvider, id = 'a/key'): Promise<string> =>
  new TextDecoder().decode((await provider.fetch(ref(id), {}, signal)).bytes);

async function refusal(provider: SecretProvider, id = 'a/key'): Promise<ProviderError> {
  const error: unknown = await provider.fetch(ref(id), {}, signal).catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(Error);
  expect(inspect(error, { depth: null, showHidden: true })).not.toContain('CANARY');
  return error as ProviderError;
}

const failureOf = async (options: object, id?: string): Promise<string> =>
  (await refusal(createExecProvider(options), id)).failure;

/** Reads its values from a file, and hangs once when there is a file that says so. */
const resolver = `
const { existsSync, readFileSync, renameSync } = require('node:fs');
const { join } = require('node:path');
if (existsSync(join(__dirname, 'hang'))) {
  renameSync(join(__dirname, 'hang'), join(__dirname, 'hangs'));
  setInterval(() => {}, 1000);
} else {
  const { ids } = JSON.parse(readFileSync(0, 'utf8'));
  const known = JSON.parse(readFileSync(join(__dirname, 'values.json'), 'utf8'));
  const values = {};
  const errors = {};
  for (const id of ids) {
    if (id in known) values[id] = known[id];
    else errors[id] = { code: 'NOT_FOUND', message: 'not here: ' + JSON.stringify(known) };
  }
  process.stdout.write(JSON.stringify({ protocolVersion: 1, values, errors }));
}
`;

describe('the exec provider keeps the rules of providers', () => {
  testSecretProvider({
    test,
    create() {
      const values: Record<string, string> = {};
      const write = (): void => writeFileSync(join(folder, 'values.json'), JSON.stringify(values));
      write();
      return {
        provider: createExecProvider({ command: script(resolver) }),
        put(id, value) {
          values[id] = value;
          write();
        },
        async hang() {
          writeFileSync(join(folder, 'hang'), '');
          await vi.waitFor(() => readFile(join(folder, 'hangs')), { timeout: 60_000 });
        },
      };
    },
  });
});

describe('the protocol', () => {
  test('is one JSON document on the standard input, which ends there', async () => {
    const command = shell(`cat > asked.json
      printf '{"protocolVersion":1,"values":{"team/key#field":"${canary}"}}'`);
    expect(await read(createExecProvider({ command }), 'team/key#field')).toBe(canary);
    expect(await readFile(join(folder, 'asked.json'), 'utf8')).toBe(
      '{"protocolVersion":1,"provider":"vault","ids":["team/key#field"]}',
    );
  });

  test('asks for many in one run, each once, fifty at a time', async () => {
    const command = script(`
      const text = require('node:fs').readFileSync(0, 'utf8');
      require('node:fs').appendFileSync('asked', text + '\\n');
      const values = Object.fromEntries(JSON.parse(text).ids.map((id) => [id, 'value of ' + id]));
      process.stdout.write(JSON.stringify({ protocolVersion: 1, values }));`);
    const provider = createExecProvider({ command });
    const ids = Array.from({ length: 60 }, (_, n) => `k${n}`);
    const found = await provider.fetchMany?.([...ids, 'k0', '../x'].map(ref), signal);
    expect(found?.size).toBe(61);
    expect(found?.get('k59')).toMatchObject({ bytes: new TextEncoder().encode('value of k59') });
    expect(found?.get('../x')).toMatchObject({ failure: 'invalid' });
    const asked = (await readFile(join(folder, 'asked'), 'utf8')).trim().split('\n');
    expect(asked.map((line) => (JSON.parse(line) as { ids: string[] }).ids.length)).toEqual([50, 10]);
  });

  test('an error of one id is that of one id, and only its code is told', async () => {
    const errors = {
      none: { code: 'NOT_FOUND', message: canary },
      two: { code: 'AMBIGUOUS_DUPLICATE_KEY' },
      other: { code: canary },
      words: { message: canary },
      text: canary,
    };
    const provider = createExecProvider({
      command: answering(answer({ values: { good: 'value' }, errors })),
    });
    const ids = [...Object.keys(errors), 'good', 'missing'];
    const found = await provider.fetchMany?.(ids.map(ref), signal);
    expect(inspect(found)).not.toContain('CANARY');
    expect(ids.map((id) => (found?.get(id) as ProviderError | undefined)?.failure)).toEqual([
      'not-found',
      'invalid',
      'transient',
      'transient',
      'transient',
      undefined,
      'not-found',
    ]);
  });

  test('a run that fails is the error of each of its ids', async () => {
    const provider = createExecProvider({ command: shell('exit 3') });
    const found = await provider.fetchMany?.(['a', 'b'].map(ref), signal);
    expect([...(found ?? [])].map(([id, one]) => [id, (one as ProviderError).failure])).toEqual([
      ['a', 'transient'],
      ['b', 'transient'],
    ]);
  });

  test.each([
    ['no answer', '', 'transient'],
    ['no JSON', canary, 'transient'],
    ['a list', [canary], 'transient'],
    ['another version', { protocolVersion: 2, values: { 'a/key': canary } }, 'invalid'],
    ['no values', { protocolVersion: 1, value: canary }, 'invalid'],
    ['a number', answer({ values: { 'a/key': 7 } }), 'invalid'],
    ['an empty text', answer({ values: { 'a/key': '' } }), 'invalid'],
    ['what every object has', answer({ values: { constructor: 1 } }), 'not-found', 'toString'],
  ])('%s is told without a word of it', async (_what, given, failure, id = 'a/key') => {
    const command = typeof given === 'string' ? shell(`printf '%s' '${given}'`) : answering(given);
    expect(await failureOf({ command }, id)).toBe(failure);
  });

  test('an object is a value as JSON', async () => {
    const command = answering(answer({ values: { 'a/key': { user: 'u' } } }));
    expect(await read(createExecProvider({ command }))).toBe('{"user":"u"}');
    const numbers = '{"pin": 12345678901234567890, "ratio": 1.10, "big": 1e400}';
    const printed = `{"protocolVersion": 1, "values": {"a/key": ${numbers}}}`;
    const precise = shell(`printf '%s' '${printed}'`);
    expect(await read(createExecProvider({ command: precise }))).toBe(numbers);
  });

  test.each(['', '-rf', '/etc/x', '../x', 'a/./b', 'a b', 'a;b', '$(a)', 'a\nb', 'x'.repeat(257)])(
    'the id %j is given to no command',
    async (id) => {
      const command = shell('touch ran');
      expect(await failureOf({ command }, id)).toBe('invalid');
      await expect(readFile(join(folder, 'ran'))).rejects.toThrow('ENOENT');
    },
  );

  test('a command may print the value itself, when that is said', async () => {
    const command = shell(`printf '%s\\n' '${canary}'`);
    const provider = createExecProvider({ command, jsonOnly: false });
    expect(await read(provider, 'value')).toBe(canary);
    expect([provider.capabilities, 'fetchMany' in provider]).toEqual([{ versions: false }, false]);
    const document = shell(`printf '{"user":"u"}'`);
    expect(await read(createExecProvider({ command: document, jsonOnly: false }), 'value')).toBe(
      '{"user":"u"}',
    );
    const spoken = answering(answer({ values: { value: 'spoken' } }));
    expect(await read(createExecProvider({ command: spoken, jsonOnly: false }), 'value')).toBe('spoken');
  });
});

describe('a run', () => {
  test('has no environment but what it is given', async () => {
    vi.stubEnv('HOLDFAST_EXEC_PASSED', 'passed');
    vi.stubEnv('HOLDFAST_EXEC_KEPT', canary);
    const command = script(
      `process.stdout.write(JSON.stringify({ protocolVersion: 1, values: { 'a/key': JSON.stringify(process.env) } }))`,
    );
    const options = {
      command,
      env: { VAULT_ADDR: 'https://vault' },
      passEnv: ['HOLDFAST_EXEC_PASSED', 'ABSENT'],
    };
    const seen = JSON.parse(await read(createExecProvider(options))) as Record<string, string>;
    // What macOS adds by itself.
    delete seen['__CF_USER_TEXT_ENCODING'];
    expect(seen).toEqual({ VAULT_ADDR: 'https://vault', HOLDFAST_EXEC_PASSED: 'passed' });
  });

  test('has its arguments as they are, without a shell', async () => {
    const command = shell(`printf '%s|' "$@"`);
    const args = ['read', '$HOME', 'a b', '; touch ran', '*'];
    expect(await read(createExecProvider({ command, args, jsonOnly: false }), 'value')).toBe(
      'read|$HOME|a b|; touch ran|*|',
    );
  });

  test('that fails is transient, and what it said stays unsaid', async () => {
    const command = shell(`echo ${canary}; echo ${canary} >&2; exit 3`);
    expect(await refusal(createExecProvider({ command }))).toMatchObject({
      failure: 'transient',
      message: `The command ${command} ended with the exit code 3. Run it by hand to see why.`,
    });
    expect((await refusal(createExecProvider({ command: shell('kill -9 $$') }))).message).toContain(
      'SIGKILL',
    );
  });

  /** Whether the process with the number in a file is gone. */
  async function isGone(file: string): Promise<void> {
    const pid = Number(await readFile(join(folder, file), 'utf8'));
    expect(pid).toBeGreaterThan(0);
    await vi.waitFor(() => expect(() => process.kill(pid, 0)).toThrow('ESRCH'), { timeout: 60_000 });
  }
  const child = `sleep 1000 & echo $! > child; echo $$ > parent`;

  test('that takes too long is killed with all it has started', async () => {
    const provider = createExecProvider({ command: shell(`${child}; wait`), timeoutMs: 1_000 });
    expect(await refusal(provider)).toMatchObject({
      failure: 'transient',
      message: expect.stringContaining('did not end within 1000 ms'),
    });
    await isGone('child');
    await isGone('parent');
  });

  test('that ends but leaves somebody behind who holds its output is given up too', async () => {
    const provider = createExecProvider({ command: shell(child), timeoutMs: 1_000 });
    expect((await refusal(provider)).failure).toBe('transient');
    await isGone('child');
  });

  test('that is aborted is killed with all it has started', async () => {
    const provider = createExecProvider({ command: shell(`${child}; wait`) });
    const ending = new AbortController();
    const reading = provider.fetch(ref('a'), {}, ending.signal);
    await vi.waitFor(
      async () => expect(await readFile(join(folder, 'parent'), 'utf8')).toMatch(/\n$/),
      10_000,
    );
    ending.abort(new Error('given up'));
    await expect(reading).rejects.toThrow('given up');
    await isGone('child');
    await isGone('parent');
  });

  test('that says nothing for long is killed', async () => {
    const options = {
      command: shell(`printf x; ${child}; wait`),
      noOutputTimeoutMs: 1_000,
      timeoutMs: 20_000,
    };
    expect((await refusal(createExecProvider(options))).message).toContain('printed nothing for 1000 ms');
    await isGone('parent');
  });

  test.each(['', '>&2'])('that prints without end is killed %s', async (where) => {
    const command = shell(`echo $$ > parent; while :; do echo ${canary}; done ${where}`);
    const error = await refusal(createExecProvider({ command, maxOutputBytes: 1000 }));
    expect(error).toMatchObject({
      failure: 'transient',
      message: expect.stringContaining('more than 1000 bytes'),
    });
    await isGone('parent');
  });

  test('that does not read what it is asked is no error', async () => {
    const command = shell(`exec 0<&-; printf '{"protocolVersion":1,"values":{"a/key":"value"}}'`);
    expect(await read(createExecProvider({ command }))).toBe('value');
  });

  test('is one of four at most', async () => {
    const command = shell(`mkdir -p runs; touch runs/$$; ls runs | wc -l >> counts; sleep 0.05; rm runs/$$
      printf '{"protocolVersion":1,"values":{"a/key":"value"}}'`);
    const provider = createExecProvider({ command, passEnv: ['PATH'], timeoutMs: 20_000 });
    await Promise.all(Array.from({ length: 12 }, () => read(provider)));
    const counts = (await readFile(join(folder, 'counts'), 'utf8')).trim().split('\n').map(Number);
    expect(counts).toHaveLength(12);
    expect(Math.max(...counts)).toBeLessThanOrEqual(4);
  });
});

describe('the command', () => {
  const good = `printf '{"protocolVersion":1,"values":{"a/key":"value"}}'`;

  test.each(['720', '702', '777'])('with the mode %s is refused', async (mode) => {
    const command = shell(good);
    await chmod(command, Number.parseInt(mode, 8));
    expect(await refusal(createExecProvider({ command }))).toMatchObject({
      failure: 'denied',
      message: expect.stringContaining(`chmod go-w ${command}`),
    });
    expect(await read(createExecProvider({ command, allowInsecurePath: true }))).toBe('value');
  });

  test('is looked at again before each run', async () => {
    const command = shell(good);
    const provider = createExecProvider({ command });
    expect(await read(provider)).toBe('value');
    await chmod(command, 0o777);
    expect((await refusal(provider)).failure).toBe('denied');
  });

  test('may be readable by all', async () => {
    const command = shell(good);
    await chmod(command, 0o755);
    expect(await read(createExecProvider({ command }))).toBe('value');
  });

  test.runIf(process.getuid?.() === 0)('of another user is refused', async () => {
    const command = shell(good);
    await chown(command, 12_345, 0);
    expect(await refusal(createExecProvider({ command }))).toMatchObject({
      failure: 'denied',
      message: expect.stringContaining('belongs to the user 12345'),
    });
  });

  test('in a folder that all can write is refused', async () => {
    const command = shell(good);
    await chmod(folder, 0o777);
    expect(await refusal(createExecProvider({ command }))).toMatchObject({
      failure: 'denied',
      message: expect.stringContaining('Anybody could replace'),
    });
    await chmod(folder, 0o1777);
    expect(await read(createExecProvider({ command }))).toBe('value');
  });

  test('that is a link is refused unless that is said', async () => {
    const command = join(folder, 'link');
    await symlink(shell(good), command);
    expect(await refusal(createExecProvider({ command }))).toMatchObject({
      failure: 'denied',
      message: expect.stringContaining('allowSymlinkCommand'),
    });
    expect(await read(createExecProvider({ command, allowSymlinkCommand: true }))).toBe('value');
  });

  test('must lie in a trusted folder, with its links resolved', async () => {
    const command = shell(good);
    await mkdir(join(folder, 'bin'));
    await symlink(command, join(folder, 'bin', 'link'));
    const options = { command: join(folder, 'bin', 'link'), allowSymlinkCommand: true };
    const trustedDirs = [join(folder, 'bin'), join(folder, 'absent')];
    expect(await refusal(createExecProvider({ ...options, trustedDirs }))).toMatchObject({
      failure: 'denied',
      message: expect.stringContaining('trustedDirs'),
    });
    expect(await read(createExecProvider({ ...options, trustedDirs: [...trustedDirs, folder] }))).toBe(
      'value',
    );
  });

  test('that is not there, not executable, or has an interpreter that is not there is invalid', async () => {
    expect(await failureOf({ command: join(folder, 'absent') })).toBe('invalid');
    const command = join(folder, 'plain');
    await writeFile(command, 'no program', { mode: 0o600 });
    expect(await failureOf({ command })).toBe('invalid');
    expect(await failureOf({ command: script('', '/no/such/interpreter') })).toBe('invalid');
    expect(await failureOf({ command: folder })).toBe('denied');
  });
});

describe('options', () => {
  test.each([
    [{ command: '/usr/bin/x', args: ['-', ''], env: { A: '' }, passEnv: ['PATH'], jsonOnly: false }, []],
    [
      { command: '~/bin/x', timeoutMs: 1, noOutputTimeoutMs: 1, maxOutputBytes: 1, trustedDirs: ['/opt'] },
      [],
    ],
    [undefined, [expect.stringContaining('"command" is needed')]],
    [{ command: 'vault' }, [expect.stringContaining('"command" must be an absolute path')]],
    [{ command: '/x', args: 'a' }, ['"args" must be an array of texts, not string']],
    [{ command: '/x', env: { A: 1 } }, ['"env" must be an object of texts, not object']],
    [
      { command: '/x', trustedDirs: ['bin'] },
      ['"trustedDirs" must be an array of absolute paths, not array'],
    ],
    [{ command: '/x', timeoutMs: 2 ** 31 }, [expect.stringContaining('"timeoutMs" must be an integer')]],
    [
      { command: '/x', comand: '/y' },
      [expect.stringContaining('"comand" is not an option; there are: command')],
    ],
  ])('%j have the problems %j', (options, problems) => {
    expect(execOptionProblems(options)).toEqual(problems);
  });

  test('wrong ones are refused', () => {
    expect(() => createExecProvider({})).toThrow(/"command" is needed/);
  });
});
