import { randomBytes } from 'node:crypto';
import { inspect } from 'node:util';
import { answerOf } from './answers.ts';
import { openDesks } from './desks.ts';
import { startModelServer, type ModelServer } from './model-server.ts';
import { openPage } from './page.ts';
import { prove } from './proof.ts';
import { textOf, transcriptOf } from './transcript.ts';
import { visit } from './visit.ts';

const staysOpen = process.argv.includes('--page') || process.stdout.isTTY;
/** All that is told of this run: it is searched for the key. */
const told: string[] = [];
const say = (line: string): void => {
  told.push(line);
  console.log(line);
};
const note = (fields: object, message?: string): void =>
  void told.push(JSON.stringify({ message, fields }, withErrors));
const logger = { debug: note, info: note, warn: note, error: note };
const minute = 60_000;

const { MODEL_URL: yours, DESK_STORE: store } = process.env;
process.exitCode = yours === undefined && store === undefined ? await shown() : await talkedTo();

/** The model is on this machine, with a key that was made up a moment ago. */
async function startOurModel(): Promise<{ model: ModelServer; key: string }> {
  const key = `sk-${randomBytes(24).toString('base64url')}`;
  const model = await startModelServer({ keys: [key], answer: answerOf, tokenMs: 8 });
  Object.assign(process.env, { MODEL_URL: model.url, MODEL: 'tea', MODEL_KEY: key });
  return { model, key };
}

/** Customers visit the desks, and what they see is checked. */
async function shown(): Promise<number> {
  const { model, key } = await startOurModel();
  const silenceMs = (customer: string): number => (customer === 'dora' ? 400 : 5 * minute);
  const desks = await openDesks({ logger, audit: note, silenceMs });
  desks.follow(note);
  const page = await openPage(desks, note);
  try {
    say(`Three desks, each an agent on the AI SDK. The model is at ${model.url}, and its key in the host.`);
    say(`The page is at ${page.url}\n`);
    const transcript = transcriptOf(desks);
    await visit(desks, model, transcript, say);
    note(desks.status());
    // A value may come in several tokens.
    for (const exchange of transcript.exchanges) told.push(textOf(exchange));
    const { lines, wrong } = prove(transcript, model, key, told);
    say(`\n${lines.join('\n')}`);
    for (const what of wrong) say(`wrong: ${what}`);
    if (staysOpen) await untilInterrupted(page.url);
    return wrong.length === 0 ? 0 : 1;
  } finally {
    await page.close();
    await desks.stop();
    await model.close();
  }
}

/**
 * Nobody visits the desks but you. MODEL_URL, MODEL and MODEL_KEY name a model that speaks OpenAI's protocol; without them it
 * is the one on this machine.
 */
async function talkedTo(): Promise<number> {
  const ours = yours === undefined ? await startOurModel() : undefined;
  const desks = await openDesks({ logger, audit: note, silenceMs: () => 5 * minute, store });
  const page = await openPage(desks, note);
  await untilInterrupted(page.url);
  await page.close();
  await desks.stop();
  await ours?.model.close();
  return 0;
}

function untilInterrupted(url: string): Promise<void> {
  console.log(`\nTalk to the desks at ${url}; Ctrl-C ends.`);
  return new Promise((resolve) => process.once('SIGINT', () => resolve()));
}

/** An error as JSON has it is empty. */
function withErrors(_key: string, value: unknown): unknown {
  return value instanceof Error ? inspect(value) : value;
}
