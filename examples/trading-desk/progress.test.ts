import { expect, test } from 'vitest';
import { bar, createProgress, painter } from './progress.ts';

/** A terminal that understands what the progress writes: text, "up and erase", colours. */
function terminal(isTTY: boolean, columns = 80) {
  const rows: string[] = [];
  const written: string[] = [];
  return {
    isTTY,
    columns,
    rows,
    written,
    write(text: string) {
      written.push(text);
      // oxlint-disable-next-line no-control-regex -- what moves the cursor up and erases
      const up = /^\u001B\[(\d+)A\u001B\[0J/.exec(text);
      if (up) rows.splice(rows.length - Number(up[1]));
      rows.push(
        ...text
          .slice(up?.[0].length ?? 0)
          .split('\n')
          .slice(0, -1),
      );
    },
  };
}
const env = { TERM: 'xterm' };
const status = (text: string) => ({ lines: [text, 'second'], line: text });

test('on a terminal the status stays below what was said', () => {
  const output = terminal(true);
  const progress = createProgress(output, () => {}, env);
  progress.show(status('one'));
  progress.say('said');
  progress.show(status('two'));
  expect(output.rows).toEqual(['said', 'two', 'second']);
  progress.clear();
  progress.say('end');
  expect(output.rows).toEqual(['said', 'end']);
});

test('a line that would wrap is cut, or the block would not go away', () => {
  const output = terminal(true, 20);
  createProgress(output, () => {}, env).show(status('x'.repeat(50)));
  expect(output.rows[0]).toBe('x'.repeat(19));
});

test('colours do not count when a line is measured', () => {
  const output = terminal(true, 20);
  const progress = createProgress(output, () => {}, env);
  const line = progress.paint('green', 'x'.repeat(19));
  progress.show(status(line));
  expect(output.rows[0]).toBe(line);
});

test('without a terminal there are plain lines, the status at most once a second', () => {
  const output = terminal(false);
  const progress = createProgress(output, () => {}, env);
  progress.show(status('first'));
  progress.show(status('at once again'));
  progress.say(progress.paint('red', 'said'));
  progress.clear();
  expect(output.written).toEqual(['first\n', 'said\n']);
});

test('a status that is not worth a line writes none', () => {
  const output = terminal(false);
  createProgress(output, () => {}, env).show({ lines: ['block'], line: undefined });
  expect(output.written).toEqual([]);
});

test('a dumb terminal is treated like none', () => {
  const output = terminal(true);
  const progress = createProgress(output, () => {}, { TERM: 'dumb' });
  progress.show(status('plain'));
  expect(output.written).toEqual(['plain\n']);
});

test.each([
  ['a terminal has colours', true, env, true],
  ['NO_COLOR takes them away', true, { ...env, NO_COLOR: '1' }, false],
  ['an empty NO_COLOR does not', true, { ...env, NO_COLOR: '' }, true],
  ['a pipe has none', false, env, false],
] as const)('%s', (_, isTTY, env, coloured) => {
  expect(painter(terminal(isTTY), env)('red', 'x').includes('\u001B')).toBe(coloured);
});

test('everything that is written is heard', () => {
  const heard: string[] = [];
  const output = terminal(true);
  const progress = createProgress(output, (text) => heard.push(text), env);
  progress.say('a');
  progress.show(status('b'));
  progress.clear();
  expect(heard).toEqual(output.written);
});

test('a bar is full at 1, empty at 0, and never longer than it is wide', () => {
  expect([bar(0, 4), bar(0.5, 4), bar(1, 4), bar(7, 4), bar(-1, 4)]).toEqual([
    '────',
    '━━──',
    '━━━━',
    '━━━━',
    '────',
  ]);
});
