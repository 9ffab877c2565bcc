import { deepStrictEqual as deepEqual } from 'node:assert';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { folder, nodeIn, npm, readManifest, root } from './place.ts';

/** Mistakes in the program that `init` writes, each with the error that the compiler has for it. */
const slips = [
  ["'greeter', { id", "'greter', { id", 'TS2345'],
  ["type: 'greet', name", "type: 'great', name", 'TS2322'],
  ["type: 'greet', name }", "type: 'greet', name: 1 }", 'TS2322'],
  [
    "await front.ask({ type: 'greet', name })",
    "(await front.ask({ type: 'greet', name })).toExponential()",
    'TS2339',
  ],
] as const;

/** A project that `init` has written and whose steps were typed, but for the start. */
function installed(name: string, ...more: string[]): string {
  const told = npm(folder, 'exec', '--no', '--', 'holdfast', 'init', name, '--json', ...more);
  const { folder: app, next } = JSON.parse(told) as { folder: string; next: string[] };
  for (const step of next.filter((step) => !step.startsWith('cd ') && step !== 'npm start')) {
    const [command, ...args] = step.split(' ');
    deepEqual(command, 'npm');
    npm(app, ...args, '--silent', ...(args[0] === 'install' ? ['--no-audit', '--no-fund'] : []));
  }
  return app;
}

/** A project for a model passes its own check, with the packages that its ranges bring today. */
export function newModelProject(): void {
  npm(installed('modeller', '--template', 'llm'), 'run', '--silent', 'check');
}

/** Types the steps that `init` prints, has the project checked strictly, and sees a slip of each kind found. */
export function newProject(): void {
  const app = installed('newcomer');
  deepEqual(npm(app, 'start', '--silent').split('\n')[0], 'Hello Ada, you are number 1 at greeter/front');
  npm(app, 'run', '--silent', 'check');
  // Our own declarations too, with the compiler that this package is built with.
  const tsc = (...args: string[]): string => {
    try {
      return nodeIn(app, join(root, 'node_modules/typescript/bin/tsc'), ...args);
    } catch (error) {
      return (error as { stdout: string }).stdout;
    }
  };
  const main = readFileSync(join(app, 'main.ts'), 'utf8');
  const every = Object.keys(readManifest(root).exports).filter((entry) => !entry.endsWith('.json'));
  const imports = every.map((entry, n) => `export * as e${n} from 'holdfast${entry.slice(1)}';\n`);
  writeFileSync(join(app, 'every.ts'), imports.join(''));
  for (const args of [
    ['--skipLibCheck', 'false'],
    ['--skipLibCheck', 'false', '--types', 'undici-types'],
    [],
  ])
    deepEqual([args, tsc(...args)], [args, '']);
  // Each in a program of its own, and all of them in one run of the compiler.
  for (const [n, [right, wrong]] of slips.entries())
    writeFileSync(join(app, `slip-${n}.ts`), main.replace(right, wrong));
  const found = tsc();
  for (const [n, [right, wrong, code]] of slips.entries()) {
    const line = main.slice(0, main.indexOf(right)).split('\n').length;
    if (!new RegExp(`^slip-${n}\\.ts\\(${line},\\d+\\): error ${code}:`, 'm').test(found))
      throw new Error(`${wrong}: ${found}`);
  }
}
