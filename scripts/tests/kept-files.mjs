// Where what tests share is kept, for each version of Node by itself.
import { readFileSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** The URL of the repository. */
export const root = new URL('../../', import.meta.url).href;

/** A folder of this version of Node. */
export const folder = fileURLToPath(new URL(`node_modules/.cache/tests/${process.version}/`, root));

/** Where Node keeps what V8 has compiled. */
export const compiled = fileURLToPath(new URL('node_modules/.cache/tests/compiled', root));

/** What threads start with, and what agents import there: each is kept as one file with all that it imports. */
export const bundled = [
  'runtime/worker/entry.ts',
  'runtime/worker/agent.ts',
  'runtime/store/sqlite/store-thread.ts',
  'runtime/store/sqlite/care-thread.ts',
  'runtime/store/sqlite/records-thread.ts',
];

/** The programs of a gateway, and what the modules that users give it may import of the package. */
export const programEntries = [
  'runtime/cli/main.ts',
  'runtime/gateway/service-main.ts',
  'runtime/index.ts',
  'runtime/worker/agent.ts',
  'runtime/testing/index.ts',
  'runtime/cluster/index.ts',
  'runtime/config/index.ts',
  'runtime/client/index.ts',
];

/** The file that says where those are kept, and what they were made of. */
export const programs = 'programs.json';

/** The file that holds a source file without its types. */
export function kept(source) {
  return `${folder}${source.slice(fileURLToPath(root).length).replaceAll('/', '+')}.mjs`;
}

/** The file that holds a source file with all that it imports; beside it stands what that was made of. */
export function keptBundle(source) {
  return kept(source).replace(/\.mjs$/, '.bundle.mjs');
}

/** Whether that file is of the source as it is now: it has been given the time of the source, as exactly as a file system keeps it. */
export function isOf(source, file) {
  const kept = statSync(file, { throwIfNoEntry: false });
  return kept !== undefined && Math.abs(kept.mtimeMs - statSync(source).mtimeMs) < 2;
}

/** Returns the bundle of the source file, unless a file that it was made of has changed, or it is of another folder; `isChecked`: it has not. */
export function bundleOf(source, isChecked = false) {
  const file = keptBundle(source);
  if (statSync(file, { throwIfNoEntry: false }) === undefined) return undefined;
  const text = readFileSync(file, 'utf8');
  if (isChecked) return text;
  const madeOf = JSON.parse(text.slice('//'.length, text.indexOf('\n')));
  return isFresh(madeOf, source) ? text : undefined;
}

/** Where the programs are kept, by their URLs, unless a file that they were made of has changed, or is of another folder. */
export function freshPrograms(isChecked = false) {
  const file = folder + programs;
  if (statSync(file, { throwIfNoEntry: false }) === undefined) return undefined;
  const { entries, times } = JSON.parse(readFileSync(file, 'utf8'));
  return isChecked || isFresh(times, fileURLToPath(new URL(programEntries[0], root))) ? entries : undefined;
}

/** What was kept in a folder that was copied since knows the files of the first one, which need not be those of the copy. */
function isFresh(times, source) {
  const isOwn = times.some(([path]) => path === source);
  return (
    isOwn && times.every(([path, mtimeMs]) => statSync(path, { throwIfNoEntry: false })?.mtimeMs === mtimeMs)
  );
}
