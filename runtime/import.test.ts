import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const cwd = fileURLToPath(new URL('../', import.meta.url));

/** What a process of its own prints, as JSON. */
function printed(code: string): unknown {
  const args = ['-C', 'holdfast-source', '--input-type=module', '-e', code];
  return JSON.parse(execFileSync(process.execPath, args, { cwd, encoding: 'utf8' }));
}

test('importing Holdfast loads no part of Node that only some programs need', () => {
  const loaded = printed(`
    await import('holdfast');
    console.log(JSON.stringify(process.moduleLoadList));
  `) as string[];
  const names = loaded.map((name) => name.replace(/^NativeModule /, ''));
  expect(names).toContain('worker_threads');
  const some = ['zlib', 'dns', 'inspector', 'http', 'https', 'tls', 'sqlite', 'child_process'];
  expect(some.filter((name) => names.includes(name))).toEqual([]);
});

test('the schema of the config is made of few parts, and each key has its own meaning', () => {
  const { made, shared } = printed(`
    let made = 0;
    globalThis.__zod_globalConfig = { postProcessor: () => void made++ };
    const { z } = await import('zod');
    await import('./runtime/config/schema.ts');
    const { anyText, flag, integer, megabytes, numeric, text } = await import('./runtime/config/fields.ts');
    const before = made;
    const shared = [anyText(), flag(), integer(0), integer(1), megabytes(), numeric(0), text()];
    console.log(JSON.stringify({ made: before, shared: shared.map((one) => z.globalRegistry.get(one) ?? null) }));
  `) as { made: number; shared: unknown[] };
  // With a copy for each description, and blocks of their own for each key, they were 817.
  expect(made).toBeLessThan(450);
  expect(made).toBeGreaterThan(100);
  expect(shared.filter((meaning) => meaning !== null)).toEqual([]);
});
