import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { guide } from './guide.ts';
import { openText } from '../isolation/report.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));

test('a page of the docs is named so that it can be opened, from the package and from elsewhere', () => {
  expect(guide('errors.md', root)).toBe(join('docs', 'errors.md'));
  expect(guide('errors.md', join(root, 'runtime'))).toBe(join(root, 'docs', 'errors.md'));
});

test('what a message sends its reader to is there', () => {
  const text = openText({
    threadId: 'p',
    isolation: 'thread+permissions',
    attacks: [{ attack: 'child-process', tries: 'a child process', outcome: 'open' }],
  });
  const [, page = ''] = /see (\S+\.md)/.exec(text ?? '') ?? [];
  expect(existsSync(page)).toBe(true);
});
