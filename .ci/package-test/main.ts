// Tests what users get: packs the tarball, installs it into an empty folder, imports every entry point and runs the
// programs of app/, with two agents in two pools, one with permissions; then once more with the package linked from elsewhere.
import { deepStrictEqual as deepEqual } from 'node:assert';
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import { join, posix } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseSync } from 'rolldown/utils';
import { threadFiles } from '../../runtime/threads/worker-options.ts';
import { browserProject } from './browser-project.ts';
import { lostLinks } from './lost-links.ts';
import { newModelProject, newProject } from './new-project.ts';
import { folder, nodeIn, npm, pack, readManifest, root, temporary, writeApp } from './place.ts';
import { upgrade } from './upgrade.ts';

const { exports: entries, devDependencies, version } = readManifest(root);
/** An app that has the package linked, and the folder it is linked to. */
const [linked, checkout] = [join(temporary, 'linked'), join(temporary, 'checkout')];
const node = (...command: string[]): string => nodeIn(folder, ...command);

/** Runs the program; `more` is what it sees differently from an app that has the package installed. */
function checkProgram(app: string, more: object = {}): void {
  const expected = {
    sum: { sum: 5050, pool: 'sums' },
    echo: 'hello',
    // A folder of packages that an agent can import from can be read, so with it all of Holdfast.
    read: [true, true, 'ERR_ACCESS_DENIED'],
    unanswered: 'ASK_UNANSWERED',
    none: 'AGENT_EXPORT_INVALID',
    host: 'runs',
    ...more,
  };
  deepEqual(JSON.parse(nodeIn(app, 'main.ts')), expected);
}

/** Whether there is more in a file than that it imports and exports what others have. */
function hasCode(path: string): boolean {
  const { program: ast } = parseSync(path, readFileSync(join(root, path), 'utf8'));
  return ast.body.some((one) =>
    one.type === 'ExportNamedDeclaration'
      ? one.declaration !== null
      : !('source' in one) || one.source === null,
  );
}

let passed = 0;
function check(what: string, run: () => void): void {
  run();
  passed += 1;
  console.log(`ok ${what}`);
}

try {
  npm(root, 'run', '--silent', 'build');
  const { filename, files, size } = pack(root);
  check('the tarball holds no tests, no fixtures, no emulator and no scripts', () => {
    const wrong = files
      .map(({ path }) => path)
      .filter((path) => /\.test\.|fixtures|emulator|^(?:\.ci|scripts)\//.test(path));
    if (wrong.length > 0) throw new Error(`packed by mistake: ${wrong.join(', ')}`);
  });
  check('the tarball has the sources of what it holds, and the maps of its bundles', () => {
    const paths = new Set(files.map(({ path }) => path));
    const built = [...paths].filter((path) => /^dist\/.*\.js$/.test(path));
    deepEqual(
      built.filter((path) => !path.includes('/page/') && !paths.has(`${path}.map`) && hasCode(path)),
      [],
    );
    const sources = new Set<string>();
    for (const path of paths) {
      if (!path.endsWith('.map')) continue;
      const map = JSON.parse(readFileSync(join(root, path), 'utf8')) as { sources: string[] };
      for (const source of map.sources) sources.add(posix.join(posix.dirname(path), source));
    }
    const lost = [...sources].filter((path) => !path.includes('node_modules') && !paths.has(path));
    deepEqual(lost, []);
    const others = [...sources].flatMap(
      (path) => /.*node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(path)?.[1] ?? [],
    );
    const licences = readFileSync(join(root, 'dist/THIRD-PARTY-LICENSES.md'), 'utf8').matchAll(
      /^## (\S+) /gm,
    );
    deepEqual(
      [...licences].map(([, name]) => name),
      [...new Set(others)].toSorted(),
    );
    // What is in two places would be loaded from both.
    deepEqual(
      built.filter((path) => path.startsWith('dist/actors/') || path.startsWith('dist/providers/')),
      [],
    );
  });
  writeApp(folder);
  // React is optional, and an entry needs it.
  const peers = ['xstate', 'react'].map((name) => `${name}@${devDependencies[name]}`);
  npm(folder, 'install', `../${filename}`, ...peers, '--no-audit', '--no-fund');
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
    // A third of it are the docs with their two pictures, a fifth the maps, an eighth what lays out charts.
    if (size > 4.2e6) throw new Error(`packed: ${size} bytes`);
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
  check(
    "import of holdfast loads a few files of its own, and no other package's but those of the app",
    () => {
      const loaded = JSON.parse(node('imported.ts')) as string[];
      const packages = new Set(
        loaded.flatMap((url) => /.*\/node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(url)?.[1] ?? []),
      );
      deepEqual([...packages].toSorted(), ['holdfast', 'xstate']);
      const own = loaded.filter((url) => url.includes('/node_modules/holdfast/'));
      if (own.length > 12) throw new Error(`it loads ${own.length} files: ${own.join(', ')}`);
    },
  );
  check('the tracers of an app hear of its runtime', () => {
    const told = node('traced.ts').trim().split('\n').at(-1);
    deepEqual(told, 'send adder,spawn adder');
  });
  check('a page type-checks with the client, without types of Node', browserProject);
  check('what threads load imports xstate and node: only', () => {
    for (const name of threadFiles) {
      const file = join(folder, `node_modules/holdfast/dist/runtime/worker/${name}.js`);
      const { program: ast } = parseSync(`${name}.js`, readFileSync(file, 'utf8'));
      const imported = ast.body.flatMap((one) => ('source' in one && one.source ? [one.source.value] : []));
      deepEqual(
        imported.filter((one) => !one.startsWith('node:')),
        ['xstate'],
      );
    }
  });
  check('a program with two agents in two pools, one with permissions', () => checkProgram(folder));
  check('a thread loads its entry and holdfast/agent, one file each, XState and the agent', () => {
    node('--import', './agents/record.ts', 'main.ts');
    const loaded = new Set(readFileSync(join(folder, 'modules.txt'), 'utf8').trim().split('\n'));
    const own = [...loaded].filter((url) => !/\/node_modules\/xstate\/dist\/[^/]+$/.test(url));
    const base = pathToFileURL(folder).href;
    const runtime = 'node_modules/holdfast/dist/runtime';
    deepEqual(
      new Set(own),
      new Set(
        ['agents/adder.ts', ...threadFiles.map((name) => `${runtime}/worker/${name}.js`)].map(
          (path) => `${base}/${path}`,
        ),
      ),
    );
  });
  check('the stack of a thread with permissions leads to the sources with --enable-source-maps', () => {
    const stacks = node('--enable-source-maps', 'main.ts', 'stack');
    if (!/runtime\/worker\/load-logic\.ts:\d+:\d+/.test(stacks)) throw new Error(stacks);
  });
  check('the stack of an error of the host leads to the sources with --enable-source-maps', () => {
    const program =
      "import('holdfast').then((m) => m.createRuntime({ agents: 5 })).catch((e) => console.log(e.stack))";
    const stack = node('--enable-source-maps', '-e', program);
    if (!/holdfast\/runtime\/[-\w/]+\.ts:\d+:\d+/.test(stack)) throw new Error(stack);
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
  check('an error of the host is what boundFetch of holdfast/agent takes it for', () => {
    deepEqual(JSON.parse(node('fetched.ts')), ['TypeError', 'FETCH_FAILED']);
  });
  check('the test kit, without threads and with them, linked as well', () => {
    for (const app of [folder, linked])
      deepEqual(JSON.parse(nodeIn(app, 'kit.ts')), [
        ['hello', true],
        ['hello', true],
      ]);
  });
  check('the command', () => {
    const holdfast = (...args: string[]): string => npm(folder, 'exec', '--no', '--', 'holdfast', ...args);
    const json = (...args: string[]) => JSON.parse(holdfast(...args)) as Record<string, unknown>;
    deepEqual(holdfast('status', '--version'), `${version}\n`);
    deepEqual((json('status', '--json')['agents'] as unknown[]).length, 4);
    deepEqual(json('config', 'validate', '--json')['valid'], true);
    deepEqual(json('secrets', 'audit', '--check', '--json')['status'], 'clean');
    holdfast('init', 'fresh');
    deepEqual(json('doctor', '--json', '--config', 'fresh/openclaw.json')['ok'], true);
  });
  check('a new project is installed as the command says, runs, and passes its own check', newProject);
  check(
    'a new project for a model is installed as the command says, and passes its own check',
    newModelProject,
  );
  check('the upgrade of the owner’s document: version, backup, package, new sections, restart', upgrade);
  check('the page of the inspector, with all its files', () => {
    const served = JSON.parse(node('page.ts')) as Record<string, number>;
    deepEqual(
      Object.entries(served).filter(([path, status]) => status !== 200 || path.endsWith('.ts')),
      [],
    );
    if (served['/elk-worker.js'] === undefined || Object.keys(served).length < 10)
      throw new Error(`too few files: ${JSON.stringify(served)}`);
  });
  check('the self-test of strict, linked as well', () => {
    const expected = ['closed', ['ISOLATION_UNAVAILABLE', true]];
    for (const app of [folder, linked]) deepEqual(JSON.parse(nodeIn(app, 'strict.ts')), expected);
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
