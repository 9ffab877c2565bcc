#!/usr/bin/env node
import { isOldNode, OLDEST_NODE } from '../node-version.ts';

const { stdin, stdout, stderr, env, argv, versions } = process;
if (isOldNode(versions.node)) {
  const advice = 'install a current one from https://nodejs.org.';
  stderr.write(`Holdfast needs Node ${OLDEST_NODE} or later, and this is ${versions.node}: ${advice}\n`);
  process.exitCode = 1;
} else {
  // What an older Node cannot even load is loaded only now.
  const { runCommand } = await import('./program.ts');
  process.exitCode = await runCommand(argv.slice(2), { stdin, stdout, stderr, env, cwd: process.cwd() });
}
