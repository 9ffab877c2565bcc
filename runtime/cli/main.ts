#!/usr/bin/env node
import { isOldNode, OLDEST_NODE } from '../base/node-version.ts';

const { stdin, stdout, stderr, env, argv, versions } = process;
/** What is said of who reads, and has gone: a pipe, a terminal, a connection. */
const GONE: ReadonlySet<unknown> = new Set(['EPIPE', 'EIO', 'ECONNRESET']);

// Whoever reads may have enough, as `head` has: the command does what it was told to all the same, and ends with what that came to.
for (const output of [stdout, stderr]) {
  output.on('error', (error: NodeJS.ErrnoException) => {
    if (GONE.has(error.code) || process.exitCode === 1) return;
    process.exitCode = 1;
    if (output === stdout) stderr.write(`the output cannot be written: ${error.message}\n`);
  });
}

if (isOldNode(versions.node)) {
  const advice = 'install a current one from https://nodejs.org.';
  stderr.write(`Holdfast needs Node ${OLDEST_NODE} or later, and this is ${versions.node}: ${advice}\n`);
  process.exitCode = 1;
} else {
  // What an older Node cannot even load is loaded only now.
  const { runCommand } = await import('./program.ts');
  const { workingFolder } = await import('../config/working-folder.ts');
  const { HOLDFAST_STARTER: isStarted } = env;
  delete env['HOLDFAST_STARTER'];
  const send = isStarted === undefined ? undefined : process.send?.bind(process);
  const starter = (message: object): void => void send?.(message, undefined, undefined, () => {});
  const cwd = workingFolder(process.cwd(), env['PWD']);
  const code = await runCommand(argv.slice(2), { stdin, stdout, stderr, env, cwd, ...(send && { starter }) });
  process.exitCode = code === 0 ? (process.exitCode ?? 0) : code;
}
