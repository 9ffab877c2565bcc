import { expect, test } from 'vitest';
import { hasPostgres } from '../../runtime/store/postgres/fixtures/server.ts';
import { runExample, shownOutput } from '../program.fixture.ts';

const here = new URL('./', import.meta.url);
/** How many partitions a node has, and how long something waited, is another number each time. */
const words = (text: string | undefined) => text?.replaceAll(/\d+(?:\.\d+)?/g, 'n');

test.skipIf(!hasPostgres)(
  'of three processes one is killed: its accounts go on at the others with each deposit once, and the program prints what its README shows',
  async () => {
    const { stdout, stderr } = await runExample(here, 300_000);
    expect(stderr).toBe('');
    expect(stdout).toContain('240 of 240 deposits are there, each once; 12 of 12 accounts are right.');
    expect(words(stdout)).toBe(words(shownOutput(here)));
  },
  310_000,
);
