#!/usr/bin/env bash
# @modelcontextprotocol/client 2.4.0, on Linux.
# `env` of `StdioClientTransport` is "the environment to use when spawning the process", and what is inherited is said to count
# when `env` is not given. It is added to what is inherited: a server that is started with `env: {}` has HOME, LOGNAME, PATH,
# SHELL, TERM and USER of the client, so it finds the caches and settings below that home. An `undefined`, which the type does
# not take, is what keeps a variable away.
# Seen: see `expected`.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund @modelcontextprotocol/client@2.4.0
cat >program.mjs <<'PROGRAM'
import { inspect } from 'node:util';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';

const server = `
const data = Object.keys(process.env).sort().join(' ');
process.stdout.write(JSON.stringify({ jsonrpc: '2.0', method: 'notifications/message', params: { level: 'info', data } }) + '\\n');
process.stdin.resume();
`;
for (const env of [undefined, {}, { TOKEN: 'made-up' }, { HOME: undefined }]) {
  const transport = new StdioClientTransport({ command: process.execPath, args: ['-e', server], ...(env && { env }) });
  const told = new Promise((resolve) => (transport.onmessage = resolve));
  await transport.start();
  const { params } = await told;
  console.log(`${inspect(env)}: ${params.data}`);
  await transport.close();
}
PROGRAM
expected="undefined: HOME LOGNAME PATH SHELL TERM USER
{}: HOME LOGNAME PATH SHELL TERM USER
{ TOKEN: 'made-up' }: HOME LOGNAME PATH SHELL TERM TOKEN USER
{ HOME: undefined }: LOGNAME PATH SHELL TERM USER"
seen="$(env -i PATH="$PATH" HOME="$folder" USER=a LOGNAME=a SHELL=/bin/sh TERM=dumb OTHER=a "$(command -v node)" program.mjs)"
printf '%s\n' "$seen"
[ "$seen" = "$expected" ] || { echo "changed; expected:"; printf '%s\n' "$expected"; exit 1; }
