import { once } from 'node:events';
import { resolve } from 'node:path';
import { recordRun } from '../../inspect/local/record-run.ts';
import { openRecord } from '../../inspect/local/recorded-run.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { gatewayOf, type GatewayOptions, request } from '../gateway-client.ts';
import { counted, type Terminal } from '../terminal.ts';

interface Options extends GatewayOptions {
  readonly json?: boolean;
}

/** Shows a record on a page of this machine, until Ctrl-C. */
export async function inspectRecord(file: string, options: Options, terminal: Terminal): Promise<ExitCode> {
  const page = await openRecord(resolve(terminal.cwd, file));
  try {
    const link = page.link();
    terminal.stdout.write(
      options.json === true
        ? `${JSON.stringify({ link })}\n`
        : `Works once, in the next 10 minutes; Ctrl-C ends it:\n${link}\n`,
    );
    await interrupted();
  } finally {
    await page.stop();
  }
  return EXIT.ok;
}

/** Writes what the agents of a gateway do into a file, until Ctrl-C or its end. */
export async function recordTo(file: string, options: Options, terminal: Terminal): Promise<ExitCode> {
  const found = await request(await gatewayOf(options, terminal), 'POST', '/v1/inspector');
  const { link } = found as { link: string };
  const ending = new AbortController();
  const end = (): void => ending.abort();
  process.on('SIGINT', end).on('SIGTERM', end);
  try {
    if (options.json !== true) terminal.stderr.write(`Recording into ${file}; Ctrl-C ends it.\n`);
    const recorded = await recordRun(link, resolve(terminal.cwd, file), { signal: ending.signal });
    const { events, bytes, end: why } = recorded;
    const because = { signal: '', full: ', and is full', runtime: '; the runtime has ended, or its page' }[
      why
    ];
    terminal.stdout.write(
      options.json === true
        ? `${JSON.stringify({ file, ...recorded })}\n`
        : `${file} has ${counted(events, 'event')} in ${(bytes / 1e6).toFixed(1)} MB${because}.\n`,
    );
    return EXIT.ok;
  } finally {
    process.removeListener('SIGINT', end).removeListener('SIGTERM', end);
  }
}

async function interrupted(): Promise<void> {
  const given = new AbortController();
  // The page alone keeps no process alive.
  const alive = setInterval(() => {}, 60_000);
  try {
    const { signal } = given;
    await Promise.race([once(process, 'SIGINT', { signal }), once(process, 'SIGTERM', { signal })]);
  } finally {
    given.abort();
    clearInterval(alive);
  }
}
