// Moves files to the rooms of the house: reads `move-rooms.json`, which says of each file where it goes, moves it and the
// test beside it, and rewrites every relative path that leads from or to a moved file, in imports, in URLs and in texts.
// Runs once, on a clean tree, and is then of no use: node scripts/move-rooms.mjs
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, normalize, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../', import.meta.url));
const listed = execFileSync('git', ['ls-files'], { cwd: root, encoding: 'utf8' }).trim().split('\n');
const files = new Set(listed);
const moves = JSON.parse(readFileSync(new URL('move-rooms.json', import.meta.url), 'utf8'));
for (const [from, to] of Object.entries(moves)) {
  if (!files.has(from)) throw new Error(`there is no ${from}`);
  const test = from.replace(/\.ts$/, '.test.ts');
  if (files.has(test)) moves[test] ??= to.replace(/\.ts$/, '.test.ts');
}

/** A string that is a relative path leads to the same file as before. */
function withPaths(text, from) {
  const to = moves[from] ?? from;
  return text.replaceAll(/(['"`])(\.\.?\/[^'"`\n$]*)\1/g, (whole, quote, written) => {
    const [path, rest = ''] = written.split(/(?=[?#])/);
    const target = normalize(join(dirname(from), path));
    if (!files.has(target) && !existsSync(join(root, target))) return whole;
    if (to === from && moves[target] === undefined) return whole;
    let moved = relative(dirname(to), moves[target] ?? target);
    if (!moved.startsWith('.')) moved = `./${moved}`;
    if (path.endsWith('/') && !moved.endsWith('/')) moved += '/';
    return quote + moved + rest + quote;
  });
}

/** A path from the root of the repository, as docs and tests name files. */
function withNames(text) {
  return text.replaceAll(/(?<![\w/-])runtime\/[\w/.-]+?(?:\.test)?\.ts\b/g, (path) => moves[path] ?? path);
}

const texts = listed.filter((file) => /\.(ts|mts|tsx|mjs|md)$/.test(file) && file !== 'CHANGELOG.md');
const written = new Map(
  texts.map((file) => {
    const text = readFileSync(join(root, file), 'utf8');
    return [moves[file] ?? file, withNames(file.endsWith('.md') ? text : withPaths(text, file))];
  }),
);
for (const file of Object.keys(moves)) rmSync(join(root, file));
for (const [file, text] of written) {
  mkdirSync(dirname(join(root, file)), { recursive: true });
  writeFileSync(join(root, file), text);
}
console.log(`${Object.keys(moves).length} files have moved`);
