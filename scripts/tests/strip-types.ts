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
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { folder, isOf, kept, root } from './kept-files.mjs';

const FOLDERS = ['runtime', 'actors', 'providers', 'props', 'examples', 'bench', 'docs'];

/** Strips the types of the source files that have changed, once for all processes and threads that the tests start. */
export default function stripTypes(): void {
  mkdirSync(folder, { recursive: true });
  for (const name of FOLDERS) {
    const within = fileURLToPath(new URL(name, root));
    for (const file of readdirSync(within, { recursive: true, encoding: 'utf8' })) {
      if (file.endsWith('.ts') && !file.includes('node_modules')) strip(join(within, file));
    }
  }
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
  // Another run may be at the same file.
  const own = `${target}.${process.pid}`;
  writeFileSync(own, stripped);
  utimesSync(own, atime, mtime);
  renameSync(own, target);
}
