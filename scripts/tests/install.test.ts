import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';

const install = fileURLToPath(new URL('../../.ci/install.mjs', import.meta.url));

test('packages that a folder has by a link to another are not taken away from that one', () => {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-install-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const [other, own] = [join(folder, 'other'), join(folder, 'own')];
  mkdirSync(join(other, 'a-package'), { recursive: true });
  mkdirSync(own);
  symlinkSync(other, join(own, 'node_modules'), 'junction');
  const empty = { name: 'own', version: '1.0.0' };
  writeFileSync(join(own, 'package.json'), JSON.stringify(empty));
  const lock = { ...empty, lockfileVersion: 3, requires: true, packages: { '': empty } };
  writeFileSync(join(own, 'package-lock.json'), JSON.stringify(lock));

  const { status, stderr } = spawnSync(process.execPath, [install, own], { encoding: 'utf8' });

  expect(readdirSync(other)).toEqual(['a-package']);
  expect(status).toBe(1);
  expect(stderr).toMatch(/node_modules leads to another folder/);
});
