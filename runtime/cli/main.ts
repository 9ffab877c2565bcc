#!/usr/bin/env node
import { enoughNode } from './node-version.ts';

const { stdin, stdout, stderr, env, argv, versions } = process;
const problem = enoughNode(versions.node);
if (problem === undefined) {
  // What an older Node cannot even load is loaded only now.
  const { runCommand } = await import('./program.ts');
  process.exitCode = await runCommand(argv.slice(2), { stdin, stdout, stderr, env, cwd: process.cwd() });
} else {
  stderr.write(`${problem}\n`);
  process.exitCode = 1;
}
