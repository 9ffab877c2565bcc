import { setInterval as every } from 'node:timers/promises';
import { createRuntime, sqliteStore } from 'holdfast';
import { agentRows, problemsOf } from './agent-rows.ts';
import { checkSecrecy, checkSignatures } from './checks.ts';
import { closingText } from './closing-text.ts';
import { deskConfig, readOpenclaw } from './desk-config.ts';
import type { DeskOptions } from './options.ts';
import { loadSeries } from './prices.ts';
import { createProgress, type Output } from './progress.ts';
import { createRecord } from './record.ts';
import { newRunState, runStatus, shortVersion } from './run-state.ts';
import { openAws, openEmulator, type SecretsService } from './secrets-service.ts';
import { deskFiles } from './security-desk.ts';
import { signOrder, signReport } from './signatures.ts';
import { openSigningKey } from './signing-key.ts';
import { tradingDay } from './trading-day.ts';
import { createWitness } from './witness.ts';

const DRAW_MS = 100;
const SAMPLE_MS = 400;

/** Runs the desk from open to close. Resolves to the exit code: 0, or 1 when a check failed. */
export async function runDesk(options: DeskOptions, output: Output): Promise<0 | 1> {
  const owner = await readOpenclaw();
  const region = options.region ?? owner.externalSecrets.region;
  const service = options.aws ? openAws(region) : await openEmulator(region);
  try {
    return await runWith(service, options, output);
  } finally {
    await service.stop();
  }
}

async function runWith(service: SecretsService, options: DeskOptions, output: Output): Promise<0 | 1> {
  const record = createRecord();
  const progress = createProgress(output, (text) => record.add('output', text));
  const { paint, say } = progress;
  const witness = createWitness(record, (line) => say(paint('yellow', line)));
  const state = newRunState();

  const owner = await readOpenclaw();
  const key = await openSigningKey(service.client, options.secretId);
  for (const versionId of key.versions.keys()) state.keyVersions.push(shortVersion(versionId));
  const runtime = await createRuntime(deskConfig(owner, { secretId: key.id, ...service.place }), {
    capabilities: [signOrder, signReport],
    logger: witness.logger,
    ...(options.inspect && { inspect: 'local' }),
    ...(options.store !== undefined && { store: sqliteStore({ path: options.store }) }),
  });
  witness.watchRuntime(runtime);
  say(
    `${paint('bold', 'Holdfast trading desk')}: the agents of openclaw.json\n${paint('dim', service.title)}`,
  );

  if (runtime.inspector !== undefined) say(`inspector  ${runtime.inspector.link()}`);

  const over = new AbortController();
  const drawing = repeat(DRAW_MS, over.signal, () =>
    progress.show(runStatus(state, performance.now(), paint)),
  );
  const sampling = repeat(SAMPLE_MS, over.signal, async () => await witness.sample());
  // Awaited when the day is over; a failure before must not go unhandled meanwhile.
  sampling.catch(() => {});
  try {
    const day = await tradingDay({
      runtime,
      key,
      series: await loadSeries(),
      folder: deskFiles,
      seconds: options.seconds,
      witness,
      state,
      say: (line) => say(paint('dim', line)),
    });
    over.abort();
    await Promise.all([drawing, sampling]);
    await witness.sample();
    progress.show(runStatus(state, performance.now(), paint));

    const status = runtime.status();
    await runtime.stop();
    const signatures = checkSignatures(day.orders, day.reports, key.versions);
    const secrecy = checkSecrecy(record, key.versions);
    const rows = agentRows(status, day);
    const problems = problemsOf(runtime.status(), day, rows, signatures, secrecy);
    const { findings } = day.scan;
    progress.clear();
    say('');
    say(
      closingText(
        { findings, files: state.files, reports: day.closing, signatures, secrecy, rows, problems },
        paint,
      ),
    );
    return problems.length === 0 ? 0 : 1;
  } finally {
    over.abort();
    progress.clear();
    await runtime.stop();
  }
}

/** Calls `task` every `ms` until aborted, never twice at once; resolves when the last call is over. */
async function repeat(ms: number, signal: AbortSignal, task: () => void | Promise<void>): Promise<void> {
  try {
    for await (const _ of every(ms, undefined, { signal })) await task();
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}
