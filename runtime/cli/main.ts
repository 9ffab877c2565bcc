#!/usr/bin/env node
import { runCommand } from './program.ts';

const { stdout, stderr, env } = process;
process.exitCode = await runCommand(process.argv.slice(2), { stdout, stderr, env, cwd: process.cwd() });
