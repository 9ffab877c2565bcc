import { tmpdir } from 'node:os';
import { expect, test } from 'vitest';
import { asFound } from './as-found.ts';

test('what a file of tests sets, changes and deletes of the environment is put back, and so is the folder', () => {
  const [before, folder] = [{ ...process.env }, process.cwd()];
  const putBack = asFound();
  process.env['AS_FOUND'] = 'new';
  process.env['PATH'] = 'changed';
  delete process.env['HOME'];
  process.chdir(tmpdir());
  putBack();
  expect(process.env).toEqual(before);
  expect(process.cwd()).toBe(folder);
});
