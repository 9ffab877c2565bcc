import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { entriesOf, type Finding, property } from './finding.ts';
import { plainText, printName } from './received.ts';

const EXTENSIONS = ['ts', 'mts', 'cts', 'js', 'mjs', 'cjs'];

/** Where the module of each agent is, and the agents whose module is not there. */
export interface FoundModules {
  readonly urls: ReadonlyMap<string, string>;
  readonly findings: readonly Finding[];
  /** Where those would be. */
  readonly missing: readonly string[];
}

/** Looks for the module of each agent on disk. Nothing is ever loaded. */
export async function findModules(root: unknown, folder: string): Promise<FoundModules> {
  const urls = new Map<string, string>();
  const findings: Finding[] = [];
  const missing: string[] = [];
  for (const [agent, config] of entriesOf(property(root, 'agents'))) {
    const found = await findModule(agent, property(config, 'module'), folder, missing);
    if (found === undefined) continue;
    if ('href' in found) urls.set(agent, found.href);
    else findings.push(found);
  }
  return { urls, findings, missing };
}

async function findModule(
  agent: string,
  written: unknown,
  folder: string,
  missing: string[],
): Promise<URL | Finding | undefined> {
  const path = ['agents', agent, 'module'];
  if (written !== undefined && !(written instanceof URL) && (typeof written !== 'string' || written === '')) {
    return undefined;
  }
  const tried = candidates(agent, written, folder);
  if (tried === undefined) {
    const message = `expected a path or a file: URL, got another URL; a module is a file on disk`;
    return { code: 'wrong-type', path, at: 'value', message };
  }
  const attempts: string[] = [];
  for (const url of tried) {
    const failure = await whyNotAFile(url);
    if (failure === undefined) return url;
    attempts.push(failure);
  }
  missing.push(...tried.flatMap((url) => pathOf(url) ?? []));
  const advice =
    written === undefined ? 'create one of them, or write "module"' : 'create it, or correct "module"';
  const message = `module of agent ${printName(agent)} not found; ${advice}; tried:\n${attempts.map((line) => `  ${plainText(line)}`).join('\n')}`;
  return { code: 'module-not-found', path, at: 'value', message };
}

function candidates(agent: string, written: string | URL | undefined, folder: string): URL[] | undefined {
  if (written === undefined) {
    return EXTENSIONS.map((extension) => pathToFileURL(resolve(folder, 'agents', `${agent}.${extension}`)));
  }
  if (typeof written === 'string' && !written.startsWith('file:'))
    return [pathToFileURL(resolve(folder, written))];
  const url = URL.parse(String(written));
  return url?.protocol === 'file:' ? [url] : undefined;
}

/** Undefined when there is a file; else its path and what was found instead. */
async function whyNotAFile(url: URL): Promise<string | undefined> {
  const path = pathOf(url);
  if (path === undefined) return `${url.href} (not a path on this machine)`;
  try {
    return (await stat(path)).isFile() ? undefined : `${path} (not a file)`;
  } catch (error) {
    const code = property(error, 'code');
    return code === 'ENOENT' || typeof code !== 'string' ? path : `${path} (${code})`;
  }
}

function pathOf(url: URL): string | undefined {
  try {
    return fileURLToPath(url);
  } catch {
    return undefined;
  }
}
