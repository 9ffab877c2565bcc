import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { createExecProvider } from '../providers/exec.ts';
import type { FetchResult, ProviderError } from '../providers/provider.ts';
import { builtinProviders } from '../providers/builtin-providers.ts';
import { blocks, exampleFolder } from './examples.fixture.ts';

const guide = await readFile(fileURLToPath(new URL('./providers.md', import.meta.url)), 'utf8');

test('each built-in provider has a section with a row for each of its options, and no other', () => {
  for (const [name, { optionNames }] of builtinProviders) {
    const section = guide.split(`\n## \`${name}\`\n`)[1]?.split(/\n#{2,3} /)[0] ?? '';
    const rows = [...section.matchAll(/^\| `([^`]+)` \|/gm)].map(([, option = '']) => option);
    expect.soft(rows, name).toEqual(optionNames);
  }
});

test('the resolver for pass works with a pass that is there, and with one that is not', async () => {
  const script = new Map(blocks(guide)).get('js pass-resolver.mjs') ?? '';
  const folder = await exampleFolder();
  const command = join(folder, 'pass-resolver.mjs');
  await writeFile(command, script, { mode: 0o700 });
  await mkdir(join(folder, 'bin'));
  // What pass does, for two secrets.
  const pass = `#!/bin/sh
    case "$2" in
      feed/key) printf 'first line\\nuser: me\\n' ;;
      feed/locked) echo 'gpg: decryption failed: No secret key' >&2; exit 2 ;;
      *) echo "Error: $2 is not in the password store." >&2; exit 1 ;;
    esac`;
  await symlink(process.execPath, join(folder, 'bin', 'node'));
  const environment = (path: string): object => ({ command, env: { PATH: path }, timeoutMs: 20_000 });
  const ids = ['feed/key', 'feed/locked', 'feed/none'];
  const ask = async (options: object): Promise<unknown[]> => {
    const { signal } = new AbortController();
    const found = await createExecProvider(options).fetchMany?.(
      ids.map((id) => ({ provider: 'pass', id })),
      signal,
    );
    return ids.map((id) => {
      const one = found?.get(id);
      const { bytes } = one as FetchResult;
      return bytes === undefined ? (one as ProviderError).failure : new TextDecoder().decode(bytes);
    });
  };
  expect(await ask(environment(join(folder, 'bin')))).toEqual(['transient', 'transient', 'transient']);
  await writeFile(join(folder, 'bin', 'pass'), pass, { mode: 0o700 });
  const path = [join(folder, 'bin'), '/usr/bin', '/bin'].join(':');
  expect(await ask(environment(path))).toEqual(['first line', 'transient', 'not-found']);
});
