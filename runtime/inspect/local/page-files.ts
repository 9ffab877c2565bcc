import { readFile } from 'node:fs/promises';

const folder = new URL('./page/', import.meta.url);

const types: Readonly<Record<string, string>> = {
  html: 'text/html; charset=utf-8',
  css: 'text/css; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
  ts: 'text/javascript; charset=utf-8',
  svg: 'image/svg+xml',
};

/** Lays out charts: the worker of elkjs, which stands beside the page in the package, and where it was installed here. */
const LAYOUT = 'elk-worker.js';
const MODULES = '../../../../node_modules/';
/** Seconds for which a browser keeps it: it has 1.6 MB, and is the same in all versions of the page for a long time. */
const keepLayout = 7 * 86_400;

export interface PageFile {
  readonly type: string;
  /** Where it need not be sent for each page. */
  readonly cacheControl?: string;
  readonly body: string;
}

/** A file of the page; its modules are TypeScript here, and JavaScript in the package. */
export async function pageFile(name: string): Promise<PageFile | undefined> {
  // No folders, so no way out of this one.
  const [, extension = ''] = /^[a-z][a-z-]*\.([a-z]+)$/.exec(name) ?? [];
  const type = types[extension];
  if (type === undefined) return undefined;
  for (const [file, isSource] of candidates(name, extension)) {
    try {
      const text = await readFile(new URL(file, folder), 'utf8');
      const kept = name === LAYOUT && { cacheControl: `private, max-age=${keepLayout}` };
      return { type, body: isSource ? await withoutTypes(text) : text, ...kept };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
  }
  return undefined;
}

async function withoutTypes(source: string): Promise<string> {
  const { stripTypeScriptTypes } = await import('node:module');
  return stripTypeScriptTypes(source);
}

function candidates(name: string, extension: string): [file: string, isSource: boolean][] {
  if (name === LAYOUT)
    return [
      [name, false],
      [`${MODULES}elkjs/lib/elk-worker.min.js`, false],
    ];
  if (extension === 'ts') return [[name, true]];
  if (extension !== 'js') return [[name, false]];
  return [
    [name, false],
    [name.replace(/js$/, 'ts'), true],
  ];
}
