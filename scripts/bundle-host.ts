// Writes what programs import or start over what tsc wrote: each entry with all that it needs in a few files, instead of
// hundreds to find, read and link. One build for all of them, so that they share what has to be one, such as the classes of
// errors. What threads and processes of ours start with has a file for itself. Then takes away what nobody loads any more.
import { globSync, readFileSync, rmSync } from 'node:fs';
import { isAbsolute, join, posix, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { rolldown, type Plugin } from 'rolldown';
import { parseSync } from 'rolldown/utils';

const root = fileURLToPath(new URL('../', import.meta.url));
const runtime = join(root, 'dist/runtime');

/** What programs import, or start as a process. */
const ENTRIES = [
  'index',
  'testing/index',
  'cluster/index',
  'config/index',
  'cli/main',
  'gateway/service-main',
  'doctor/options-entry',
];
/** What pages import. */
const CLIENT = ['client/index', 'client/react'];
/** What threads and processes of ours start with or load as an agent, under the name by which its neighbours look for it. */
const STARTED = [
  'cli/measured/agent',
  'cli/measured/bare-worker',
  'doctor/import-entry',
  'isolation/attack-entry',
  'store/sqlite/care-thread',
  'store/sqlite/records-thread',
  'store/sqlite/store-thread',
  'testing/store-agent',
  'testing/thread-entry',
  'trial/states-entry',
];
/** In files of their own: `bundle-worker.ts` writes them; browsers load the page as it is. */
const OTHERS = ['worker/entry.js', 'worker/agent.js', 'inspect/local/page/**/*.js'];
/**
 * Dependencies that stand in the same files: what every start needs, and an app does not share. What it may share stays outside, as
 * does what few programs load. The API of OpenTelemetry is made for copies: all of one process have the same global providers.
 */
const INLINED = ['@humanwhocodes/momoa', '@opentelemetry/api', 'comlink', 'fastest-levenshtein', 'zod'];

const external = (id: string): boolean =>
  !id.startsWith('.') && !isAbsolute(id) && !INLINED.some((name) => id === name || id.startsWith(`${name}/`));

/** What several entries share of the lower rooms, and of higher ones where it is a few lines, is in two files, and not in one for each set of entries that share it. */
const GROUPS = [
  {
    name: 'ground',
    test: /[\\/](?:runtime[\\/]base[\\/]|system[\\/]cluster\.ts|standing-instances\.ts|store-options\.ts)/,
    minShareCount: 2,
  },
  {
    name: 'inner',
    test: /[\\/]runtime[\\/](?:wire|xstate|mailbox|dead-letters|inspect|mcp)[\\/]/,
    minShareCount: 2,
  },
];

interface Span {
  readonly start: number;
  readonly end: number;
}

/** Where a module says `import.meta.url`, in its order; what it writes into files of others is text. */
function urlsIn(node: unknown): Span[] {
  if (typeof node !== 'object' || node === null) return [];
  const { type, object, property, start, end } = node as Record<string, { type?: string; name?: string }> & {
    type?: string;
    start: number;
    end: number;
  };
  if (type === 'MemberExpression' && object?.type === 'MetaProperty' && property?.name === 'url')
    return [{ start, end }];
  return Object.values(node).flatMap(urlsIn);
}

/** A module looks for the files beside it where its source is, wherever its code has gone. */
const ownPlace: Plugin = {
  name: 'own-place',
  transform: (code, id) => {
    const path = relative(root, id).split(sep).join('/');
    if (!path.startsWith('runtime/') || !code.includes('import.meta.url')) return null;
    const place = `OWN_PLACE("${path.replace(/\.ts$/, '.js')}")`;
    return urlsIn(parseSync(id, code).program).reduceRight(
      (text, { start, end }) => text.slice(0, start) + place + text.slice(end),
      code,
    );
  },
  renderChunk: (code, { fileName }) => {
    const from = posix.dirname(posix.join('runtime', fileName));
    const urlOf = (_: string, path: string): string =>
      `new URL("${posix.relative(from, path)}", import.meta.url).href`;
    return code.includes('OWN_PLACE(') ? code.replaceAll(/OWN_PLACE\("([^"]+)"\)/g, urlOf) : null;
  },
};

/** What modules of the runtime look for beside them, to start it: with the extension that they have themselves. */
function startedBesides(): string[] {
  const modules = globSync('**/*.ts', {
    cwd: join(root, 'runtime'),
    exclude: ['**/*.test.ts', '**/*.d.ts', '**/fixtures/**'],
  });
  return modules.flatMap((path) => {
    const found = readFileSync(join(root, 'runtime', path), 'utf8').matchAll(
      /new URL\(\s*`([^`$]+)\$\{extension\}`/g,
    );
    const folder = posix.dirname(path.split(sep).join('/'));
    return [...found].map(([, name = '']) => posix.join(folder, name));
  });
}

async function bundle(names: readonly string[], chunks?: string): Promise<string[]> {
  const built = await rolldown({
    cwd: root,
    input: Object.fromEntries(names.map((name) => [name, `runtime/${name}.ts`])),
    platform: 'node',
    external,
    // Of comlink the ES module, as in threads.
    resolve: { mainFields: ['module', 'main'] },
    plugins: [ownPlace],
    // No line moves, so the lines of the maps are right.
    onLog: (level, log, heard) => {
      if (log.code !== 'SOURCEMAP_BROKEN') heard(level, log);
    },
  });
  const { output } = await built.write({
    dir: runtime,
    format: 'esm',
    entryFileNames: '[name].js',
    ...(chunks === undefined
      ? { codeSplitting: false }
      : { codeSplitting: { groups: GROUPS }, chunkFileNames: `${chunks}/[name].js` }),
    // The package has the sources.
    sourcemap: true,
    sourcemapExcludeSources: true,
    comments: { legal: true, annotation: false, jsdoc: false },
  });
  await built.close();
  return output.map(({ fileName }) => fileName);
}

const loaded = [await bundle(ENTRIES, 'chunks'), await bundle(CLIENT, 'client/chunks')].flat();
for (const name of STARTED) loaded.push(...(await bundle([name])));
const kept = new Set(
  [...loaded, ...globSync(OTHERS, { cwd: runtime })].map((path) => path.split(sep).join('/')),
);
const lost = startedBesides().filter((name) => !kept.has(`${name}.js`));
if (lost.length > 0) throw new Error(`STARTED in bundle-host.ts has to name ${lost.join(', ')}`);
for (const path of globSync('**/*.js', { cwd: join(root, 'dist') })) {
  const name = path.split(sep).join('/');
  if (!name.startsWith('runtime/') || !kept.has(name.slice('runtime/'.length)))
    rmSync(join(root, 'dist', path));
}
