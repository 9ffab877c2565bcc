import http from 'node:http';
import { readdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { isAbsolute, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { rolldown } from 'rolldown';
import { folder, freshPrograms, programEntries, programs, root } from './kept-files.mjs';

/** Files that another run may still read are left for so long. */
const LEFT_MS = 3_600_000;

/** Packages that come along: to find and read their files costs a process a quarter of its start. */
const WITHIN = [
  '@hono/node-server',
  '@opentelemetry/api',
  '@humanwhocodes/momoa',
  'comlink',
  'commander',
  'fastest-levenshtein',
  'hono',
  'jose',
  'undici',
  'ws',
  'zod',
];
const isWithin = (id: string): boolean => WITHIN.some((name) => id === name || id.startsWith(`${name}/`));

/**
 * Of these, which nobody here imports, `node:http` gets Node's own fetch, and an import looks at all that a module exports: a
 * tenth of the start of a process.
 */
const OF_FETCH: ReadonlySet<string> = new Set(['WebSocket', 'CloseEvent', 'MessageEvent']);
const HTTP = '\0http';
const isHttp = (id: string): boolean => /^(?:node:)?http$|^\0http$/.test(id);

function httpCode(): string {
  const names = Object.keys(Object.getOwnPropertyDescriptors(http)).filter((name) => !OF_FETCH.has(name));
  return `const http = process.getBuiltinModule('node:http');
export default http;
export const { ${names.join(', ')} } = http;`;
}

/**
 * Keeps the command and the service of a gateway, and what users import in such a process, as a dozen files. Each source file
 * still has its own URL, by which it finds pages, threads and processes.
 */
export async function bundlePrograms(): Promise<void> {
  if (freshPrograms() !== undefined) return;
  const built = await rolldown({
    cwd: fileURLToPath(root),
    input: Object.fromEntries(programEntries.map((name) => [name.replaceAll('/', '+'), name])),
    platform: 'node',
    treeshake: false,
    preserveEntrySignatures: 'strict',
    external: (id) => !(id.startsWith('.') || isAbsolute(id) || isWithin(id) || isHttp(id)),
    plugins: [
      {
        name: 'http-without-fetch',
        resolveId: (id, _importer, { kind }) => (kind === 'import-statement' && isHttp(id) ? HTTP : null),
        load: (id) => (id === HTTP ? httpCode() : null),
      },
      {
        name: 'own-urls',
        transform: (code, id) =>
          code.includes('import.meta.url')
            ? { code: code.replaceAll('import.meta.url', JSON.stringify(pathToFileURL(id).href)) }
            : null,
      },
    ],
  });
  const { output } = await built.generate({
    format: 'esm',
    entryFileNames: 'program.[name].[hash].mjs',
    chunkFileNames: 'program.[name].[hash].mjs',
    comments: { legal: true, annotation: false, jsdoc: false },
  });
  await built.close();
  const entries: Record<string, string> = {};
  const own = fileURLToPath(import.meta.url);
  const times: Record<string, number> = { [own]: statSync(own).mtimeMs };
  for (const file of output) {
    if (file.type !== 'chunk') continue;
    write(file.fileName, file.code);
    if (file.isEntry && file.facadeModuleId !== null)
      entries[pathToFileURL(file.facadeModuleId).href] = pathToFileURL(join(folder, file.fileName)).href;
    for (const id of file.moduleIds) if (isAbsolute(id)) times[id] = statSync(id).mtimeMs;
  }
  write(programs, JSON.stringify({ entries, times: Object.entries(times) }));
  const made = new Set(output.map(({ fileName }) => fileName));
  for (const name of readdirSync(folder)) {
    const isOld = name.startsWith('program.') && !made.has(name);
    if (isOld && statSync(join(folder, name)).mtimeMs < Date.now() - LEFT_MS) rmSync(join(folder, name));
  }
}

/** Writes the file at once: another run may be at it, too. */
function write(name: string, text: string): void {
  const own = join(folder, `${name}.${process.pid}`);
  writeFileSync(own, text);
  renameSync(own, join(folder, name));
}
