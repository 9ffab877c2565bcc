import { mkdir, mkdtemp, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { findCredentials } from './agents/credentials.ts';
import { openDesk } from './open-desk.fixture.ts';
import { newRunState } from './run-state.ts';
import { deskFiles, partsOf, scanDesk } from './security-desk.ts';

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

test('the agents read a real folder in their own threads, and what they found says no value', async () => {
  const root = await mkdtemp(join(tmpdir(), 'desk-folder-'));
  try {
    for (const part of ['a', 'b', 'c', 'd', 'e']) await mkdir(join(root, part, 'deep'), { recursive: true });
    await writeFile(join(root, 'a', 'deep', 'x.env'), 'OK=1\nPASSWORD=made-up-value-in-a\n');
    await writeFile(join(root, 'b', 'y.env'), 'API_KEY=made-up-value-in-b\n');
    await writeFile(join(root, 'c', 'clean.txt'), 'nothing\n');
    await writeFile(join(root, 'd', 'huge.bin'), '');
    await truncate(join(root, 'd', 'huge.bin'), 2 * 1024 * 1024);
    await writeFile(join(root, 'top.txt'), 'password: ${REF}\n');
    await using desk = await openDesk();
    const state = newRunState();
    const result = await scanDesk(desk.runtime, root, desk.witness, state);
    expect(result).toMatchObject({
      findings: [
        { file: 'a/deep/x.env', line: 2, kind: 'password' },
        { file: 'b/y.env', line: 1, kind: 'api-key' },
      ],
      scanned: 4,
      skipped: ['d/huge.bin'],
    });
    expect(state).toMatchObject({ files: 5, filesScanned: 4, findings: 2 });
    await desk.witness.sample();
    expect(desk.record.entries.map(({ text }) => text).join()).not.toContain('made-up-value');
    const pool = desk.runtime.status().pools.find(({ threadId }) => threadId === 'security-threads');
    expect(pool?.peakThreads).toBe(4);
  } finally {
    await rm(root, { recursive: true });
  }
});
