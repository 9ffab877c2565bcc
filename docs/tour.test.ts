import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import { sessionIn, stable, steps } from './console.fixture.ts';
import { blocks } from './examples.fixture.ts';

const docs = fileURLToPath(new URL('./', import.meta.url));

test('the tour goes as its page says', async () => {
  const page = await readFile(join(docs, 'tour.md'), 'utf8');
  const session = blocks(page).flatMap(([info, text]) => (info === 'console' ? steps(text) : []));
  expect(session.length).toBeGreaterThan(20);
  const home = await mkdtemp(join(docs, '.example-'));
  const run = await sessionIn(home);
  onTestFinished(async () => {
    await run('npx holdfast gateway stop');
    await rm(home, { recursive: true, force: true });
  });
  for (const { command, output } of session) {
    // A free port, whatever else listens on this machine.
    const given = command.replace(
      /\/ {2}gateway: \{ reload: false \}.*\/'/,
      "/  gateway: { port: 0, reload: false },\\n  agents: {/'",
    );
    const typed =
      given === command ? command : given.replace('s/^  agents: {/', 's/^  gateway: { port: 0 }, agents: {/');
    expect([command, stable(await run(typed))]).toEqual([command, stable(output)]);
    if (!command.includes('holdfast init')) continue;
    const config = join(home, 'desk/openclaw.json');
    const text = await readFile(config, 'utf8');
    await writeFile(config, text.replace('\n  agents: {', '\n  gateway: { port: 0 }, agents: {'));
  }
}, 300_000);
