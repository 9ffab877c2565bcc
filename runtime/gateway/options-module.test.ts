import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { loadForGateway } from '../config/load.ts';
import { optionsOf } from './options-module.ts';

async function options(text: string): Promise<unknown> {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-options-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'openclaw.json');
  writeFileSync(file, `{\n  agents: {},\n  gateway: { options: './own.mjs' },\n}`);
  writeFileSync(join(folder, 'own.mjs'), text);
  return optionsOf(await loadForGateway(file), file);
}

test('the default export is what a gateway takes', async () => {
  expect(await options('export default { strict: true };')).toEqual({ strict: true });
  expect(await options('export default {};')).toEqual({});
});

test.for([
  [`throw new Error('no database');`, 'own.mjs cannot be loaded: no database'],
  ['throw 7;', 'own.mjs cannot be loaded: 7'],
  ['export default {', 'own.mjs cannot be loaded: '],
  [`import 'none-such';`, 'own.mjs cannot be loaded: '],
  ['export const options = {};', 'own.mjs has no default export, it exports options; '],
  ['', 'own.mjs has no default export, it exports nothing; '],
  ['export default () => ({});', 'is not valid RuntimeOptions: a function; export what it returns'],
  ['export default Promise.resolve({});', 'is not valid RuntimeOptions: a promise; await it there'],
  ['export default null;', 'is not valid RuntimeOptions: null; '],
  ['export default 7;', 'is not valid RuntimeOptions: createRuntime(): options has to be an object'],
  ['export default { providers: 7 };', 'providers has to be an array of secret providers'],
] as const)('%s is told with its place', async ([text, said]) => {
  await expect(options(text)).rejects.toMatchObject({
    code: 'CONFIG_INVALID',
    message: expect.stringContaining(said) as string,
    problems: [{ code: 'gateway-file', path: ['gateway', 'options'], line: 3 }],
  });
});
