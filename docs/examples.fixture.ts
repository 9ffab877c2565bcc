import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';

/** Fenced blocks as `[info string, text]`. */
export function blocks(markdown: string): [string, string][] {
  return [...markdown.matchAll(/^```(\S.*)\n([\s\S]*?)^```$/gm)].map(([, info = '', text = '']) => [
    info,
    text,
  ]);
}

/** The files of the README: its code blocks whose first line names them. */
export function filesOfReadme(readme: string): [name: string, text: string][] {
  const found = readme.matchAll(/```ts\n\/\/ (\S+)\n([\s\S]*?)```/g);
  return [...found].map(([, name = '', text = '']) => [name, text]);
}

/** A folder inside the package, so that examples find `holdfast` by its name. */
export async function exampleFolder(): Promise<string> {
  const folder = await mkdtemp(join(fileURLToPath(new URL('.', import.meta.url)), '.example-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}
