import {
  mkdirSync,
  mkdtempSync,
  realpathSync,
  renameSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { ConfigWatch } from './config-watch.ts';
import { waysTo } from './ways-to.ts';

function place() {
  const root = realpathSync(mkdtempSync(join(tmpdir(), 'holdfast-watch-')));
  onTestFinished(() => rmSync(root, { recursive: true, force: true }));
  const at = (...names: readonly string[]): string => join(root, ...names);
  const write = (name: string, text: string): string => {
    mkdirSync(dirname(at(name)), { recursive: true });
    writeFileSync(at(name), text);
    return at(name);
  };
  const link = (target: string, name: string): string => {
    const fresh = at(`${name}.new`);
    symlinkSync(target, fresh);
    renameSync(fresh, at(name));
    return at(name);
  };
  return { at, write, link };
}

function watching(...files: readonly string[]) {
  const troubles: string[] = [];
  let changes = 0;
  const watch = new ConfigWatch({
    changed: () => void (changes += 1),
    troubled: (folder, code) => troubles.push(`${code} ${folder}`),
  });
  onTestFinished(() => watch.stop());
  watch.follow(files);
  /** Resolves when there was another change than those before. */
  const assertChange = async (cause: () => void): Promise<void> => {
    const before = changes;
    cause();
    await expect.poll(() => changes, { timeout: 60_000 }).toBeGreaterThan(before);
  };
  return { watch, assertChange, troubles, changes: () => changes };
}

test('the ways to a file are all links to it, of folders too, and the file itself', () => {
  const { at, write, link } = place();
  write('releases/1/openclaw.json', '{}');
  link('releases/1', 'current');
  link('current', 'now');
  mkdirSync(at('home'));
  link('../now/openclaw.json', 'home/desk.json');
  expect(waysTo(at('home/desk.json'))).toEqual(
    ['home/desk.json', 'now', 'current', 'releases/1/openclaw.json'].map((name) => at(name)),
  );
  expect(waysTo(at('none/at/all'))).toEqual([at('none/at/all')]);
  link('round', 'round');
  expect(waysTo(at('round'))).toEqual([at('round')]);
});

test('a file that is written, replaced, removed and there again is a change each time', async () => {
  const { at, write } = place();
  const file = write('openclaw.json', '1');
  const { assertChange, troubles } = watching(file);
  await assertChange(() => writeFileSync(file, '22'));
  await assertChange(() => {
    writeFileSync(at('next'), '3');
    renameSync(at('next'), file);
  });
  await assertChange(() => unlinkSync(file));
  await assertChange(() => writeFileSync(file, '4'));
  await assertChange(() => utimesSync(file, 1, 1));
  expect(troubles).toEqual([]);
});

test('a link that leads elsewhere is a change, wherever on the way it is, and so is what comes there', async () => {
  const { at, write, link } = place();
  for (const n of [1, 2]) write(`releases/${n}/openclaw.json`, '{}');
  link('releases/1', 'current');
  mkdirSync(at('desk'));
  const file = link('../current/openclaw.json', 'desk/openclaw.json');
  const { assertChange } = watching(file);
  await assertChange(() => void link('releases/2', 'current'));
  await assertChange(() => writeFileSync(at('releases/2/openclaw.json'), '{ }'));
  await assertChange(() => void link('../releases/1/openclaw.json', 'desk/openclaw.json'));
  await assertChange(() => writeFileSync(at('releases/1/openclaw.json'), '{ }'));
});

test('the files of a ConfigMap change when its folder is swapped', async () => {
  const { at, write, link } = place();
  write('map/..1/openclaw.json', '{}');
  link('..1', 'map/..data');
  const file = link('..data/openclaw.json', 'map/openclaw.json');
  const { assertChange } = watching(file);
  await assertChange(() => {
    write('map/..2/openclaw.json', '{}');
    link('..2', 'map/..data');
    rmSync(at('map/..1'), { recursive: true });
  });
  await assertChange(() => {
    write('map/..3/openclaw.json', '{}');
    link('..3', 'map/..data');
  });
});

test('what cannot be watched is looked at instead, told once, and watched as soon as it can be', async () => {
  const { at, write } = place();
  const { assertChange, troubles, watch } = watching(at('later/openclaw.json'));
  expect(troubles).toEqual([`ENOENT ${at('later')}`]);
  await assertChange(() => void write('later/openclaw.json', '{}'));
  await assertChange(() => void write('later/openclaw.json', '{ }'));
  watch.follow([at('later/openclaw.json')]);
  await assertChange(() => rmSync(at('later'), { recursive: true }));
  await assertChange(() => void write('later/openclaw.json', '{}'));
  await assertChange(() => {
    renameSync(at('later'), at('before'));
    write('later/openclaw.json', '{  }');
  });
  expect(troubles.filter((one) => one.startsWith('ENOENT')).length).toBeLessThan(5);
});

test('a change that came before the files were followed again is not lost', async () => {
  const { at, write } = place();
  const file = write('openclaw.json', '{}');
  const { assertChange, watch } = watching(file);
  await assertChange(() => {
    writeFileSync(file, '{ }');
    watch.follow([file, at('more.json')]);
  });
  await assertChange(() => void write('more.json', '{}'));
});
