import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';
import { fileURLToPath } from 'node:url';
import { folder, isOf, kept, root } from './kept-files.mjs';

/** Strips the types of all source files once for all processes and threads that the tests start; of those that have changed. */
export default function stripTypes(): void {
  mkdirSync(folder, { recursive: true });
  const cwd = fileURLToPath(root);
  const listed = execFileSync('git', ['ls-files', '-co', '--exclude-standard', '*.ts'], {
    cwd,
    encoding: 'utf8',
  });
  for (const name of listed.split('\n')) {
    const source = cwd + name;
    if (!/^(?:runtime|actors|providers|props|examples|bench|docs)\//.test(name) || !existsSync(source))
      continue;
    const target = kept(source);
    const { atime, mtime } = statSync(source);
    if (isOf(source, target)) continue;
    let stripped: string;
    try {
      stripped = stripTypeScriptTypes(readFileSync(source, 'utf8'));
    } catch {
      // A file that is broken on purpose.
      continue;
    }
    writeFileSync(`${target}.new`, stripped);
    utimesSync(`${target}.new`, atime, mtime);
    renameSync(`${target}.new`, target);
  }
}
