import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { socketFolder, socketPlaces } from './socket-folder.ts';

function temporary(): string {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-places-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  return folder;
}

test('it is in the first place that will do, for this user alone, and another one each time', async () => {
  const base = temporary();
  const long = join(base, 'x'.repeat(90));
  const file = join(base, 'file');
  writeFileSync(file, '');
  const places = [long, file, join(base, 'not-there'), base];
  const found = await socketFolder(places);
  expect(found).toEqual({ folder: dirname(found.socket), socket: join(found.folder, 's') });
  expect(dirname(found.folder)).toBe(join(base, 'not-there'));
  expect(statSync(found.folder).mode & 0o777).toBe(0o700);
  expect(readdirSync(found.folder)).toEqual([]);
  expect(await socketFolder(places)).not.toEqual(found);
});

test.for([60, 61, 62, 63, 64, 65, 66, 67, 68, 69, 70])(
  'what it gives can be listened at, however long the path (%i)',
  async (length) => {
    const base = temporary();
    const place = join(base, 'y'.repeat(length));
    mkdirSync(place);
    const { socket } = await socketFolder([place, base]);
    expect(Buffer.byteLength(socket)).toBeLessThanOrEqual(107);
  },
);

test('when none will do, it is said why of each, and what to do', async () => {
  const base = temporary();
  const long = join(base, 'é'.repeat(50));
  const file = join(base, 'file');
  writeFileSync(file, '');
  await expect(socketFolder([long, file])).rejects.toMatchObject({
    code: 'CONFIG_INVALID',
    message: expect.stringMatching(
      /set TMPDIR to one .*short path:\n {2}.*éé: .* bytes, .*\n {2}.*file: EEXIST/,
    ) as string,
  });
  expect(readdirSync(base)).toEqual(['file']);
});

test('the places are TMPDIR, the folder of the user, /tmp, and the state of the gateway', () => {
  const env = { XDG_RUNTIME_DIR: '/run/user/1', XDG_STATE_HOME: '/state' };
  const places = socketPlaces('/desk/openclaw.json', env);
  expect(places.slice(0, 3)).toEqual([tmpdir(), '/run/user/1', '/tmp']);
  expect(places[3]).toMatch(/^\/state\/holdfast\/gateways\//);
});
