import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { findCredentials } from './agents/credentials.ts';
import { deskFiles, partsOf } from './security-desk.ts';

test('each top folder is one part, with all its files, and no file is left out', async () => {
  const parts = await partsOf(deskFiles);
  expect([...parts].map(([part, files]) => [part, files.length])).toEqual([
    ['backups', 3],
    ['config', 5],
    ['deploy', 4],
    ['home', 5],
  ]);
  expect(parts.get('home')).toContain('home/ssh/id_desk');
});

test('every planted credential is found where it is, and the clean files are clean', async () => {
  const files = [...(await partsOf(deskFiles)).values()].flat();
  const findings = await Promise.all(
    files.map(async (file) => findCredentials(file, await readFile(join(deskFiles, file), 'utf8'))),
  );
  expect(findings.flat().map(({ file, line, kind }) => `${file}:${line} ${kind}`)).toEqual([
    'backups/http-requests.log.1:3 bearer-token',
    'backups/openclaw.json.bak:7 api-key',
    'config/database.json:3 url-with-password',
    'config/desk.env:4 api-key',
    'deploy/compose.yaml:6 password',
    'deploy/terraform.tfvars:2 aws-access-key-id',
    'deploy/terraform.tfvars:3 aws-secret-access-key',
    'home/notes.txt:2 password',
    'home/ssh/id_desk:1 private-key',
  ]);
});

test('a folder that is not there is an error with its path', async () => {
  await expect(partsOf(join(deskFiles, 'absent'))).rejects.toThrow('absent');
});
