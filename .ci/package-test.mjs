// Tests what users get: packs the tarball, installs it into an empty folder, imports every entry point and runs a
// program with two agents in two pools, one with permissions; then once more with the package linked from elsewhere.
import { deepStrictEqual as deepEqual } from 'node:assert';
import { execFileSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdtempSync,
  mkdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { parseSync } from 'rolldown/utils';
import { lostLinks } from './lost-links.mjs';

const root = fileURLToPath(new URL('../', import.meta.url));
const { exports: entries, devDependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const temporary = mkdtempSync(join(realpathSync(tmpdir()), 'holdfast-package-'));
/** An app that has the package installed; one that has it linked; and the folder it is linked to. */
const [folder, linked, checkout] = ['installed', 'linked', 'checkout'].map((name) => join(temporary, name));
const npm = (cwd, ...command) =>
  execFileSync('npm', command, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });
const nodeIn = (cwd, ...command) =>
  execFileSync(process.execPath, command, { cwd, encoding: 'utf8', timeout: 60_000 });
const node = (...command) => nodeIn(folder, ...command);

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
import { readFileSync } from 'node:fs';
import { fromTransition } from 'xstate';
import { replyTo } from 'holdfast/agent';
function read(path) {
  try {
    return readFileSync(path).length > 0;
  } catch (error) {
    return error.code;
  }
}
export default fromTransition((state, event) => {
  if (event.type === 'echo') replyTo(event, event.value);
  if (event.type === 'read') replyTo(event, event.paths.map(read));
  return state;
}, null);
`,
  // Imports the host's side of the package, which a thread with permissions has no business with.
  'agents/host.mjs': `
import 'holdfast';
import { fromTransition } from 'xstate';
export default fromTransition((state) => state, null);
`,
};

const program = `
import { createRuntime, HoldfastError } from 'holdfast';
import { writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
writeFileSync('openclaw.json', JSON.stringify({
  agents: {
    adder: { type: 'thread-bound', threadId: 'sums', maxThreads: 2 },
    echo: { type: 'thread-bound', threadId: 'echoes', maxThreads: 1 },
    host: { type: 'thread-bound', threadId: 'echoes', maxThreads: 1 },
    none: { type: 'thread-bound', threadId: 'echoes', maxThreads: 1, module: './agents/echo.mjs', export: 'none' },
  },
  threads: { echoes: { isolation: 'thread+permissions' } },
}));
const runtime = await createRuntime('./openclaw.json', { logger: { debug() {}, info() {}, warn() {}, error() {} } });
const [adder, echo] = await Promise.all([runtime.spawn('adder'), runtime.spawn('echo')]);
for (let n = 1; n <= 100; n++) adder.send({ type: 'add', n });
const own = dirname(fileURLToPath(import.meta.resolve('holdfast')));
const paths = [join(own, 'worker/entry.js'), join(own, 'runtime.js'), join(process.cwd(), 'secret.txt')];
const failure = (error) => [error instanceof HoldfastError, error.code];
const none = await runtime.spawn('none').catch((error) => error);
const seen = {
  sum: await adder.ask({ type: 'sum' }),
  echo: await echo.ask({ type: 'echo', value: 'hello' }),
  read: await echo.ask({ type: 'read', paths }),
  unanswered: failure(await echo.ask({ type: 'nothing' }).catch((error) => error)),
  none: failure(none),
  host: await runtime.spawn('host').then(() => 'runs', (error) => error.cause?.code),
};
console.log(process.argv[2] === 'stack' ? none.stack : JSON.stringify(seen));
await runtime.stop();
`;

const kitProgram = `
import { createTestRuntime } from 'holdfast/testing';
const runtime = await createTestRuntime('./openclaw.json', { threads: true });
const echo = await runtime.spawn('echo');
console.log(await echo.ask({ type: 'echo', value: 'hello' }));
await runtime.stop();
`;

/** The inspector's page, from the files of the package. */
const pageProgram = `
import { createRuntime } from 'holdfast';
const runtime = await createRuntime('./openclaw.json', { inspect: 'local' });
const link = runtime.inspector.link();
const [entered, page] = await Promise.all([link, new URL('/', link)].map(async (url) => (await fetch(url)).text()));
const files = [...(entered + page).matchAll(/(?:src|href)="(\\/[^"]+)"/g)].map(([, path]) => path);
const queue = [...files];
const types = {};
for (const path of queue) {
  const answer = await fetch(new URL(path, link));
  types[path] = answer.status;
  const text = await answer.text();
  for (const [, name] of text.matchAll(/from '\\.(\\/[^']+)'/g)) if (!queue.includes(name)) queue.push(name);
}
console.log(JSON.stringify(types));
await runtime.stop();
`;

/** What strict tries in a closed pool and in a plain one, from the files of the package. */
const strictProgram = `
import { createRuntime } from 'holdfast';
const start = (isolation) => createRuntime({
  agents: { echo: { type: 'thread-bound', threadId: 'echoes', maxThreads: 1, module: './agents/echo.mjs' } },
  threads: { echoes: { isolation } },
}, { strict: true }).then((runtime) => runtime.stop().then(() => 'closed'), ({ code, message }) => [code, /child-process/.test(message)]);
console.log(JSON.stringify([await start('thread+permissions'), await start('thread')]));
`;

/** Preloaded into host and threads: notes every module that a thread loads, where the thread may write. */
const recorder = `
import { appendFileSync } from 'node:fs';
import { registerHooks } from 'node:module';
import { isMainThread } from 'node:worker_threads';
if (!isMainThread) registerHooks({
  load(url, context, nextLoad) {
    if (!url.startsWith('node:')) try {
      appendFileSync('modules.txt', url + '\\n');
    } catch {}
    return nextLoad(url, context);
  },
});
`;

function writeApp(app) {
  mkdirSync(join(app, 'agents'), { recursive: true });
  for (const [name, text] of Object.entries(agents)) writeFileSync(join(app, name), text);
  writeFileSync(join(app, 'main.mjs'), program);
  writeFileSync(join(app, 'kit.mjs'), kitProgram);
  writeFileSync(join(app, 'strict.mjs'), strictProgram);
  writeFileSync(join(app, 'page.mjs'), pageProgram);
  writeFileSync(join(app, 'package.json'), JSON.stringify({ type: 'module', private: true }));
  writeFileSync(join(app, 'secret.txt'), 'not for agents');
}

/** Runs the program; `more` is what it sees differently from an app that has the package installed. */
function checkProgram(app, more = {}) {
  const expected = {
    sum: { sum: 5050, pool: 'sums' },
    echo: 'hello',
    // A folder of packages that an agent can import from can be read, so with it all of Holdfast.
    read: [true, true, 'ERR_ACCESS_DENIED'],
    unanswered: [true, 'ASK_UNANSWERED'],
    none: [true, 'AGENT_EXPORT_INVALID'],
    host: 'runs',
    ...more,
  };
  deepEqual(JSON.parse(nodeIn(app, 'main.mjs')), expected);
}

/** Each step as the document has it, with a gateway that runs all the while and keeps the state of its agents. */
function upgrade() {
  const app = join(temporary, 'upgraded');
  cpSync(folder, app, { recursive: true });
  const env = {
    ...process.env,
    XDG_STATE_HOME: join(temporary, 'state'),
    XDG_DATA_HOME: join(temporary, 'data'),
  };
  const bin = join(
    app,
    'node_modules/holdfast',
    readManifest(join(app, 'node_modules/holdfast')).bin.holdfast,
  );
  const holdfast = (...args) =>
    execFileSync(process.execPath, [bin, ...args], { cwd: app, encoding: 'utf8', env, timeout: 120_000 });
  const config = (more) =>
    writeFileSync(
      join(app, 'openclaw.json'),
      JSON.stringify({ agents: { adder }, gateway: { port: 0 }, ...more }),
    );
  const adder = { type: 'thread-bound', threadId: 'sums', maxThreads: 2 };
  const trading = {
    type: 'thread-bound',
    threadId: 'trading-pool',
    maxThreads: 8,
    module: './agents/adder.ts',
  };
  config();
  holdfast('gateway', 'start');
  try {
    holdfast('agents', 'start', 'adder/a');
    holdfast('agents', 'send', 'adder/a', '{"type":"add","n":41}');

    const { version } = readManifest(root);
    deepEqual(holdfast('status', '--version'), `${version}\n`);

    cpSync(join(app, 'openclaw.json'), join(app, 'openclaw.json.backup'));

    const next = join(temporary, 'next');
    cpSync(join(app, 'node_modules/holdfast'), next, { recursive: true });
    const newer = version.replace(/\d+$/, (patch) => String(Number(patch) + 1));
    writeFileSync(join(next, 'package.json'), JSON.stringify({ ...readManifest(next), version: newer }));
    const [{ filename: tarball }] = JSON.parse(
      npm(next, 'pack', '--json', '--ignore-scripts', '--pack-destination', temporary),
    );
    npm(app, 'install', `../${tarball}`, '--no-audit', '--no-fund');
    deepEqual(holdfast('status', '--version'), `${newer}\n`);

    const externalSecrets = { provider: 'aws-secrets-manager', region: 'ap-east-1', cacheTTL: 300 };
    config({ externalSecrets, agents: { adder, 'trading-agent': trading } });
    deepEqual(JSON.parse(holdfast('config', 'validate', '--json')).valid, true);

    holdfast('gateway', 'restart');
    const { gateway } = JSON.parse(holdfast('gateway', 'status', '--json'));
    deepEqual([gateway.version, gateway.serviceVersion], [version, newer]);
    holdfast('agents', 'send', 'adder/a', '{"type":"add","n":1}');
    const ask = ['agents', 'ask', '--json'];
    deepEqual(JSON.parse(holdfast(...ask, 'adder/a', '{"type":"sum"}')).reply.sum, 42);
    holdfast('agents', 'start', 'trading-agent/btc');
    deepEqual(JSON.parse(holdfast(...ask, 'trading-agent/btc', '{"type":"sum"}')).reply.pool, 'trading-pool');
  } finally {
    holdfast('gateway', 'stop');
  }
}

/** Types the steps that `init` prints, has the project checked strictly, and sees a slip of each kind found. */
function newProject() {
  const said = JSON.parse(npm(folder, 'exec', '--no', '--', 'holdfast', 'init', 'newcomer', '--json'));
  const app = said.folder;
  for (const step of said.next.filter((step) => !step.startsWith('cd ') && step !== 'npm start')) {
    const [command, ...args] = step.split(' ');
    deepEqual(command, 'npm');
    npm(app, ...args, '--silent', ...(args[0] === 'install' ? ['--no-audit', '--no-fund'] : []));
  }
  deepEqual(npm(app, 'start', '--silent').split('\n')[0], 'Hello Ada, you are number 1 at greeter/front');
  npm(app, 'run', '--silent', 'check');
  // Our own declarations too, with the compiler that this package is built with.
  const tsc = (...args) => {
    try {
      return nodeIn(app, join(root, 'node_modules/typescript/bin/tsc'), ...args);
    } catch (error) {
      return error.stdout;
    }
  };
  const main = readFileSync(join(app, 'main.ts'), 'utf8');
  const every = Object.keys(entries).filter((entry) => !entry.endsWith('.json'));
  const imports = every.map((entry, n) => `export * as e${n} from 'holdfast${entry.slice(1)}';\n`);
  writeFileSync(join(app, 'every.ts'), imports.join(''));
  for (const args of [
    ['--skipLibCheck', 'false'],
    ['--skipLibCheck', 'false', '--types', 'undici-types'],
    [],
  ])
    deepEqual([args, tsc(...args)], [args, '']);
  const slips = [
    ["'greeter', { id", "'greter', { id", 'TS2345'],
    ["type: 'greet', name", "type: 'great', name", 'TS2322'],
    ["type: 'greet', name }", "type: 'greet', name: 1 }", 'TS2322'],
    [
      "await front.ask({ type: 'greet', name })",
      "(await front.ask({ type: 'greet', name })).toExponential()",
      'TS2339',
    ],
  ];
  for (const [right, wrong, code] of slips) {
    writeFileSync(join(app, 'main.ts'), main.replace(right, wrong));
    const line = main.slice(0, main.indexOf(right)).split('\n').length;
    const found = tsc();
    if (!new RegExp(`^main\\.ts\\(${line},\\d+\\): error ${code}:`, 'm').test(found))
      throw new Error(`${wrong}: ${found}`);
  }
}

function readManifest(of) {
  return JSON.parse(readFileSync(join(of, 'package.json'), 'utf8'));
}

let passed = 0;
function check(what, run) {
  run();
  passed += 1;
  console.log(`ok ${what}`);
}

try {
  npm(root, 'run', '--silent', 'build');
  const packed = npm(root, 'pack', '--json', '--ignore-scripts', '--pack-destination', temporary);
  const [{ filename, files, size }] = JSON.parse(packed);
  check('the tarball holds no tests and no fixtures', () => {
    const wrong = files.map(({ path }) => path).filter((path) => /\.test\.|fixtures|^\.ci/.test(path));
    if (wrong.length > 0) throw new Error(`packed by mistake: ${wrong.join(', ')}`);
  });
  writeApp(folder);
  npm(folder, 'install', `../${filename}`, `xstate@${devDependencies.xstate}`, '--no-audit', '--no-fund');
  check(
    'the README, llms.txt, and docs are in it, and every relative link of a page leads to a file of it',
    () => {
      const installed = join(folder, 'node_modules/holdfast');
      for (const path of ['README.md', 'llms.txt', 'CHANGELOG.md', 'docs/errors.md', 'docs/api/README.md'])
        if (!existsSync(join(installed, path))) throw new Error(`not packed: ${path}`);
      deepEqual(lostLinks(installed), []);
    },
  );
  check('the tarball is of a reasonable size', () => {
    // A quarter of it are the docs with their two pictures.
    if (size > 3e6) throw new Error(`packed: ${size} bytes`);
  });
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
  check('the entry of threads imports xstate and node: only', () => {
    const { program: ast } = parseSync(
      'entry.js',
      readFileSync(join(folder, 'node_modules/holdfast/dist/runtime/worker/entry.js'), 'utf8'),
    );
    const imported = ast.body.flatMap(({ source }) => (source ? [source.value] : []));
    deepEqual(
      imported.filter((name) => !name.startsWith('node:')),
      ['xstate'],
    );
  });
  check('a program with two agents in two pools, one with permissions', () => checkProgram(folder));
  check('a thread loads one file of Holdfast, what holdfast/agent is, XState and the agent', () => {
    writeFileSync(join(folder, 'agents', 'record.mjs'), recorder);
    node('--import', './agents/record.mjs', 'main.mjs');
    const loaded = new Set(readFileSync(join(folder, 'modules.txt'), 'utf8').trim().split('\n'));
    const own = [...loaded].filter((url) => !/\/node_modules\/xstate\/dist\/[^/]+$/.test(url));
    const base = pathToFileURL(folder).href;
    const runtime = 'node_modules/holdfast/dist/runtime';
    deepEqual(
      new Set(own),
      new Set(
        [
          'agents/adder.ts',
          `${runtime}/call-check.js`,
          `${runtime}/errors.js`,
          `${runtime}/mailbox/transfer.js`,
          `${runtime}/transfer.js`,
          `${runtime}/worker/agent.js`,
          `${runtime}/worker/entry.js`,
          `${runtime}/worker/log.js`,
          `${runtime}/worker/peer-ref.js`,
          `${runtime}/worker/secret-logic.js`,
          `${runtime}/worker/thread-state.js`,
        ].map((path) => `${base}/${path}`),
      ),
    );
  });
  check('the stack of a thread with permissions leads to the sources with --enable-source-maps', () => {
    const stacks = node('--enable-source-maps', 'main.mjs', 'stack');
    if (!/runtime\/worker\/load-logic\.ts:\d+:\d+/.test(stacks)) throw new Error(stacks);
  });
  check('the same with the package linked from a folder that the agents cannot read', () => {
    cpSync(join(folder, 'node_modules'), join(checkout, 'node_modules'), { recursive: true });
    renameSync(join(checkout, 'node_modules', 'holdfast'), join(checkout, 'holdfast'));
    writeApp(linked);
    mkdirSync(join(linked, 'node_modules'));
    symlinkSync(join(checkout, 'holdfast'), join(linked, 'node_modules', 'holdfast'), 'junction');
    cpSync(join(checkout, 'node_modules', 'xstate'), join(linked, 'node_modules', 'xstate'), {
      recursive: true,
    });
    checkProgram(linked, {
      read: [true, 'ERR_ACCESS_DENIED', 'ERR_ACCESS_DENIED'],
      host: 'ERR_ACCESS_DENIED',
    });
  });
  check('the test kit on real threads, linked as well', () => {
    for (const app of [folder, linked]) deepEqual(nodeIn(app, 'kit.mjs').trim(), 'hello');
  });
  check('the command', () => {
    const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
    const holdfast = (...args) => npm(folder, 'exec', '--no', '--', 'holdfast', ...args);
    deepEqual(holdfast('status', '--version'), `${version}\n`);
    deepEqual(JSON.parse(holdfast('status', '--json')).agents.length, 4);
    deepEqual(JSON.parse(holdfast('config', 'validate', '--json')).valid, true);
    deepEqual(JSON.parse(holdfast('secrets', 'audit', '--check', '--json')).status, 'clean');
    holdfast('init', 'fresh');
    deepEqual(JSON.parse(holdfast('doctor', '--json', '--config', 'fresh/openclaw.json')).ok, true);
  });
  check('a new project is installed as the command says, runs, and passes its own check', newProject);
  check('the upgrade of the owner’s document: version, backup, package, new sections, restart', upgrade);
  check('the page of the inspector, with all its files', () => {
    const served = JSON.parse(node('page.mjs'));
    deepEqual(
      Object.entries(served).filter(([path, status]) => status !== 200 || path.endsWith('.ts')),
      [],
    );
    if (Object.keys(served).length < 10) throw new Error(`too few files: ${JSON.stringify(served)}`);
  });
  check('the self-test of strict, linked as well', () => {
    const expected = ['closed', ['ISOLATION_UNAVAILABLE', true]];
    for (const app of [folder, linked]) deepEqual(JSON.parse(nodeIn(app, 'strict.mjs')), expected);
  });
  check('publint finds nothing', () => {
    execFileSync(
      process.execPath,
      ['node_modules/publint/src/cli.js', '--strict', join(temporary, filename)],
      {
        cwd: root,
        stdio: ['ignore', 'ignore', 'inherit'],
      },
    );
  });
  console.log(`package: ${passed} passed, 0 failed`);
} finally {
  rmSync(temporary, { recursive: true, force: true });
}
