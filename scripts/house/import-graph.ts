import { existsSync, globSync, readFileSync } from 'node:fs';
import { join, posix } from 'node:path';

/** What each file imports, types included; both sorted, as paths from the root with `/`. */
export type Graph = ReadonlyMap<string, readonly string[]>;

const FOLDERS = 'actors,bench,docs,examples,props,providers,runtime,scripts';
const isTest = /\.(?:test|prop|fixture)\.tsx?$|(?:^|\/)fixtures\//;
const isBuilt = /(?:^|\/)(?:node_modules|dist|coverage)\//;

const statements = [
  /^(?:import|export)\b[^'"`;]*?\bfrom\s*'([^']+)'/gm,
  /^import\s*'([^']+)'/gm,
  /\bimport\(\s*'([^']+)'\s*\)/g,
];

/** A project's own files, sorted; tests and fixtures where that is asked for. */
export function sourceFiles(root: string, withTests = false): string[] {
  return globSync(`{${FOLDERS}}/**/*.{ts,tsx,mts,mjs}`, { cwd: root })
    .map((file) => file.replaceAll('\\', '/'))
    .filter((file) => !isBuilt.test(file) && (withTests || !isTest.test(file)))
    .toSorted();
}

/** The imports of a project's own files in each other; of tests and fixtures where that is asked for. */
export function importGraph(root: string, withTests = false): Graph {
  const files = sourceFiles(root, withTests);
  const known = new Set(files);
  return new Map(
    files.map((file) => {
      const found = importsIn(readFileSync(join(root, file), 'utf8')).map((specifier) =>
        posix.join(posix.dirname(file), specifier),
      );
      return [file, [...new Set(found.filter((one) => known.has(one)))].toSorted()];
    }),
  );
}

/** Relative specifiers, wherever they stand but in comments. */
function importsIn(text: string): string[] {
  const code = text.replaceAll(/^\s*(?:\/?\*|\/\/).*$/gm, '');
  return statements
    .flatMap((statement) => Array.from(code.matchAll(statement), ([, specifier = '']) => specifier))
    .filter((specifier) => specifier.startsWith('.'));
}

/** The room that a file belongs to; none for what is not a part of the house. */
export function roomOf(file: string): string | undefined {
  const [top = '', folder = '', within = '', ...rest] = file.split('/');
  if (top === 'actors' || top === 'providers') return top;
  if (top !== 'runtime') return undefined;
  if (within === '' || folder !== 'secrets' || rest.length === 0) return `${top}/${folder}`;
  return `${top}/${folder}/${within}`;
}

/** Whether a folder is a project at all: a wrong path must not look like a house without faults. */
export function isProject(root: string): boolean {
  return existsSync(join(root, 'runtime/index.ts'));
}
