import { expect, test } from 'vitest';
import { byProcess, isOfTheProcess } from './own-process.ts';

test.each([
  'process.env = {};',
  'Object.assign(process, { exitCode: 1 });',
  "process.on('warning', hear);",
  'delete process.exitCode;',
  'process.memoryUsage().heapUsed',
  "import process from 'node:process';",
  "import { env, exitCode } from 'node:process';",
  "execFileSync('ps', ['-A']);",
  "vi.spyOn(process, 'exit');",
  "vi.mock('./clock.ts');",
  'globalThis.fetch = fake;',
  'Object.prototype.polluted = true;',
  'for (const name of names) patch(Array.prototype, name, count);',
  'setFlagsFromString("--expose-gc");',
  'metrics.setGlobalMeterProvider(provider);',
])('a test that says %s needs a process of its own', (code) => {
  expect(isOfTheProcess(code)).toBe(true);
});

test.each([
  'execFile(process.execPath, [], { env: { ...process.env, A: "b" } })',
  "expect(process.env['HOME'] === folder).toBe(true);",
  "test.runIf(process.platform === 'linux')",
  "import { env, execPath } from 'node:process';",
  "import { execFile } from 'node:child_process';",
  "process.env['HOME'] = folder;",
  "delete process.env['HOME'];",
  'process.chdir(folder);',
  "vi.stubEnv('HOME', folder);",
  'vi.useFakeTimers();',
  "vi.spyOn(console, 'warn');",
  "vi.spyOn(Client.prototype, 'send');",
  'expect(Object.getPrototypeOf(value)).toBe(Object.prototype);',
  "import { startProcess } from './server-process.ts';",
  "import { createRequire } from 'node:module';",
  'const fetch: typeof globalThis.fetch = answer;',
  'const call = vi.fn();',
  'await vi.waitFor(() => expect(seen).toBe(true));',
  '// What process.on would hear.',
  ' * Stays in the process. `process.exit()` ends it.',
  "const title = 'a process that ends';",
])('a test that says %s shares one', (code) => {
  expect(isOfTheProcess(code)).toBe(false);
});

test('each file of tests is of one kind, and of what it imports the fixtures count', () => {
  const files = byProcess(['runtime/**/*.test.ts'], ['runtime/inspect/**/*.test.ts']);
  const [alone, together] = [files.get('alone') ?? [], files.get('together') ?? []];
  expect(alone).toContain('runtime/telemetry/telemetry.test.ts');
  // Its fixture asks for the processes that this one has started.
  expect(alone).toContain('runtime/gateway/durable.test.ts');
  expect(together).toContain('runtime/config/grants.test.ts');
  expect(alone.filter((file) => together.includes(file))).toEqual([]);
  expect([...alone, ...together].filter((file) => file.includes('/inspect/'))).toEqual([]);
});
