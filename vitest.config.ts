import { availableParallelism } from 'node:os';
import { defineConfig, type Plugin } from 'vitest/config';
import { compiled } from './scripts/tests/kept-files.mjs';
import { byProcess } from './scripts/tests/own-process.ts';

// Without `import`, which Vite knows by itself: workers get them all, and then what a package requires would be a module too.
const conditions = ['holdfast-source', 'node', 'default'];
// Worker threads load agents natively, past Vite, so Node must know the source condition too.
// V8 13 may abort a process in which threads come and go while they strip types: it frees the compiled form of a call
// from WebAssembly twice ("Check failed: jit_page.has_value()"). Without that form there is nothing to free.
const execArgv = [
  '-C',
  'holdfast-source',
  '--wasm-wrapper-tiering-budget=2147483647',
  // Loading modules fills V8's first young space of 1 MB again and again: a third of the time went into collecting it.
  '--min-semi-space-size=16',
];

const isRun = process.argv.includes('run');

/** What the processes and threads that tests start need not do each for itself. */
const shared = {
  NODE_OPTIONS: `--import=${new URL(`scripts/tests/stripped.mjs${isRun ? '?run' : ''}`, import.meta.url).href}`,
  NODE_COMPILE_CACHE: compiled,
};

/**
 * What tests import is loaded as programs load it, by Node and from what was kept: Vite would transform it for each run,
 * and each file of tests would fetch some hundred modules one by one. To watch, Vitest has to see who imports what.
 */
const sources =
  /\/(?:runtime|actors|providers|props|examples|bench|scripts)\/(?:(?!node_modules\/).)*(?<!\.(?:test|prop|setup))\.ts$/;
const external = isRun ? [sources] : [];

/** Users get the production build of XState; Vitest has everybody resolve the one for development. */
const production: Plugin = {
  name: 'production-builds',
  configResolved({ ssr, environments }) {
    for (const { resolve } of [ssr, ...Object.values(environments)]) {
      const kept = resolve?.conditions?.filter((condition) => condition !== 'development|production');
      if (kept !== undefined) Object.assign(resolve as object, { conditions: kept });
    }
  },
};

/** Tests wait for threads, processes and stores about as long as they compute, so this many keep the cores busy. */
const onEveryCore = { maxWorkers: availableParallelism() * 2, sequence: { groupOrder: 0 } };

/** Those that show what is left out when there is too much to show: on a busy machine that is more than they are about. */
const measuring = [
  'runtime/inspect/{inspection,stately,stately-inspector,local/local-inspector,local/page-flood}.test.ts',
  'runtime/{threads/hang,system/robustness}.test.ts',
];

/** Those that are long for what they add to others of their kind: the nightly run has them. */
const nightly =
  process.env['HOLDFAST_RUNS'] === undefined
    ? [
        'props/soak.prop.ts',
        'examples/cluster/cluster.test.ts',
        'examples/trading-desk/kept-desk.test.ts',
        'runtime/cluster/effect/effect-faults.test.ts',
      ]
    : [];

const files = byProcess(
  ['{runtime,actors,providers,examples,docs,scripts,bench}/**/*.test.ts', 'props/**/*.prop.ts'],
  [...measuring, ...nightly],
);
/** Without those of a kind, a project has to have an include that finds none. */
const of = (kind: 'alone' | 'together'): string[] => files.get(kind) ?? ['none'];

export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  test: {
    execArgv,
    globalSetup: 'scripts/tests/strip-types.ts',
    reporters: ['default', './scripts/tests/slowest-files.ts'],
    pool: 'forks',
    server: { deps: { external } },
    // A machine that is busy with something else may be ten times slower; a test that hangs still ends.
    testTimeout: 120_000,
    hookTimeout: 120_000,
    expect: { poll: { timeout: 60_000 } },
    projects: [
      {
        extends: true,
        test: {
          name: 'alone',
          env: { ...shared, XSTATE_BUILD: 'development' },
          include: of('alone'),
          ...onEveryCore,
        },
      },
      {
        extends: true,
        test: {
          name: 'together',
          env: { ...shared, XSTATE_BUILD: 'development' },
          include: of('together'),
          isolate: false,
          setupFiles: 'scripts/tests/as-found.setup.ts',
          ...onEveryCore,
        },
      },
      {
        extends: true,
        test: {
          name: 'measuring',
          env: { ...shared, XSTATE_BUILD: 'development' },
          include: measuring,
          // No more than there are cores, after the others; what they wait for takes as long as what they compute.
          maxWorkers: availableParallelism(),
          sequence: { groupOrder: 1 },
        },
      },
      {
        extends: true,
        plugins: [production],
        test: {
          name: 'xstate-production',
          include: ['runtime/xstate/*.test.ts'],
          env: { ...shared, XSTATE_BUILD: 'production' },
          isolate: false,
          setupFiles: 'scripts/tests/as-found.setup.ts',
          ...onEveryCore,
        },
      },
    ],
  },
});
