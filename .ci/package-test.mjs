// Tests what users get: packs the tarball, installs it into an empty folder, imports every entry point and runs a
// program with two agents in two pools.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../', import.meta.url));
const { exports: entries, devDependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const folder = mkdtempSync(join(tmpdir(), 'holdfast-package-'));
const npm = (cwd, ...command) =>
  execFileSync('npm', command, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });
const node = (...command) =>
  execFileSync(process.execPath, command, { cwd: folder, encoding: 'utf8', timeout: 60_000 });

const agents = {
  'agents/adder.ts': `
import { assign, setup } from 'xstate';
import { reply, self } from 'holdfast/agent';
export default setup({
  types: { context: {} as { sum: number }, events: {} as { type: 'add'; n: number } | { type: 'sum' } },
}).createMachine({
  context: { sum: 0 },
  on: {
    add: { actions: assign({ sum: ({ context, event }) => context.sum + event.n }) },
    sum: { actions: reply(({ context }) => ({ sum: context.sum, pool: self()?.threadId })) },
  },
});
`,
  'agents/echo.mjs': `
import { fromTransition } from 'xstate';
import { replyTo } from 'holdfast/agent';
export default fromTransition((state, event) => (event.type === 'echo' && replyTo(event, event.value), state), null);
`,
};

const program = `
import { createRuntime } from 'holdfast';
import { writeFileSync } from 'node:fs';
writeFileSync('openclaw.json', JSON.stringify({
  agents: {
    adder: { type: 'thread-bound', threadId: 'sums', maxThreads: 2 },
    echo: { type: 'thread-bound', threadId: 'echoes', maxThreads: 1 },
  },
  threads: { echoes: { isolation: 'thread+permissions' } },
}));
const runtime = await createRuntime('./openclaw.json');
const [adder, echo] = await Promise.all([runtime.spawn('adder'), runtime.spawn('echo')]);
for (let n = 1; n <= 100; n++) adder.send({ type: 'add', n });
console.log(JSON.stringify([await adder.ask({ type: 'sum' }), await echo.ask({ type: 'echo', value: 'hello' })]));
await runtime.stop();
`;

let passed = 0;
function check(what, run) {
  run();
  passed += 1;
  console.log(`ok ${what}`);
}

try {
  npm(root, 'run', '--silent', 'build');
  const packed = npm(root, 'pack', '--json', '--ignore-scripts', '--pack-destination', folder);
  const [{ filename, files }] = JSON.parse(packed);
  check('the tarball holds no tests and no fixtures', () => {
    const wrong = files.map(({ path }) => path).filter((path) => /\.test\.|fixtures|^\.ci/.test(path));
    if (wrong.length > 0) throw new Error(`packed by mistake: ${wrong.join(', ')}`);
  });
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ type: 'module', private: true }));
  npm(folder, 'install', `./${filename}`, `xstate@${devDependencies.xstate}`, '--no-audit', '--no-fund');
  for (const entry of Object.keys(entries)) {
    const name = `holdfast${entry.slice(1)}`;
    const attributes = name.endsWith('.json') ? ', { with: { type: "json" } }' : '';
    check(`import of ${name}`, () => {
      const found = node(
        '-e',
        `import('${name}'${attributes}).then((m) => console.log(Object.keys(m).length))`,
      );
      if (Number(found) < 1) throw new Error(`${name} exports nothing`);
    });
  }
  mkdirSync(join(folder, 'agents'));
  for (const [name, text] of Object.entries(agents)) writeFileSync(join(folder, name), text);
  writeFileSync(join(folder, 'main.mjs'), program);
  check('a program with two agents in two pools', () => {
    const expected = '[{"sum":5050,"pool":"sums"},"hello"]';
    const printed = node('main.mjs').trim();
    if (printed !== expected) throw new Error(`expected ${expected}, got ${printed}`);
  });
  check('publint finds nothing', () => {
    execFileSync(process.execPath, ['node_modules/publint/src/cli.js', '--strict', join(folder, filename)], {
      cwd: root,
      stdio: ['ignore', 'ignore', 'inherit'],
    });
  });
  console.log(`package: ${passed} passed, 0 failed`);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
