import {
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';
import { isAbsolute, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { threadBundle } from '../thread-bundle.ts';
import { bundled, bundleOf, folder, isOf, kept, keptBundle, root } from './kept-files.mjs';
import { bundlePrograms } from './program-bundle.ts';

const FOLDERS = ['runtime', 'actors', 'providers', 'props', 'examples', 'bench', 'docs'];

/** Strips the types of the source files that have changed, once for all processes and threads that the tests start. */
export default async function stripTypes(): Promise<void> {
  mkdirSync(folder, { recursive: true });
  for (const name of FOLDERS) {
    const within = fileURLToPath(new URL(name, root));
    for (const file of readdirSync(within, { recursive: true, encoding: 'utf8' })) {
      if (file.endsWith('.ts') && !file.includes('node_modules')) strip(join(within, file));
    }
  }
  for (const name of bundled) await bundle(fileURLToPath(new URL(name, root)));
  await bundlePrograms();
}

function strip(source: string): void {
  const target = kept(source);
  if (isOf(source, target)) return;
  const { atime, mtime } = statSync(source);
  let stripped: string;
  try {
    stripped = stripTypeScriptTypes(readFileSync(source, 'utf8'));
  } catch {
    // A file that is broken on purpose.
    return;
  }
  writeWhole(target, stripped, (own) => utimesSync(own, atime, mtime));
}

/** Keeps a file with all that it imports; its first line has the files that it was made of and their times. */
async function bundle(source: string): Promise<void> {
  if (bundleOf(source) !== undefined) return;
  const made = await threadBundle(source);
  const { output } = await made.generate({
    format: 'esm',
    codeSplitting: false,
    comments: { legal: true, annotation: false, jsdoc: false },
  });
  await made.close();
  const [{ code, moduleIds }] = output;
  const times = moduleIds.filter((id) => isAbsolute(id)).map((id) => [id, statSync(id).mtimeMs]);
  writeWhole(keptBundle(source), `//${JSON.stringify(times)}\n${code}`);
}

/** Writes the file at once: another run may be at it, too. */
function writeWhole(target: string, text: string, finish?: (own: string) => void): void {
  const own = `${target}.${process.pid}`;
  writeFileSync(own, text);
  finish?.(own);
  renameSync(own, target);
}
