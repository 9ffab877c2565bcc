#!/usr/bin/env bash
# @aws-sdk/client-secrets-manager 3.1163.0.
# The default credential chain reads the shared files once for the whole process. A key that is replaced in
# ~/.aws/credentials is not seen afterwards: not by the client that has it, not when it is told to refresh, and not by a new
# client. A file that was not there at the first look is never found. `ignoreCache: true` in the configuration of a client is
# handed on to the chain and reads anew, though the types of the configuration do not have it.
# Seen: see `expected`. Everything is made up, and nothing is sent.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund @aws-sdk/client-secrets-manager@3.1163.0
cat >program.mjs <<'PROGRAM'
import { rmSync, writeFileSync } from 'node:fs';
import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';

const file = process.env.AWS_SHARED_CREDENTIALS_FILE;
const write = (key) => writeFileSync(file, `[default]\naws_access_key_id = ${key}\naws_secret_access_key = made-up\n`);
const client = (more) => new SecretsManagerClient({ region: 'eu-west-1', ...more });
const keyOf = async (one, options) => {
  try {
    return (await one.config.credentials(options)).accessKeyId;
  } catch (error) {
    return error.name;
  }
};
if (process.argv[2] === 'late') {
  rmSync(file, { force: true });
  console.log(`no file: ${await keyOf(client())}`);
  write('KEY-LATE');
  console.log(`the file is there, a new client: ${await keyOf(client())}`);
  console.log(`a new client with ignoreCache: ${await keyOf(client({ ignoreCache: true }))}`);
} else {
  write('KEY-ONE');
  const first = client();
  console.log(`first: ${await keyOf(first)}`);
  write('KEY-TWO');
  console.log(`replaced, the same client: ${await keyOf(first)}`);
  console.log(`with forceRefresh: ${await keyOf(first, { forceRefresh: true })}`);
  console.log(`a new client: ${await keyOf(client())}`);
  console.log(`a new client with ignoreCache: ${await keyOf(client({ ignoreCache: true }))}`);
}
PROGRAM
run() {
  env -i PATH="$PATH" HOME="$folder" AWS_EC2_METADATA_DISABLED=true \
    AWS_SHARED_CREDENTIALS_FILE="$folder/credentials" AWS_CONFIG_FILE="$folder/config" node program.mjs "$@"
}
expected='first: KEY-ONE
replaced, the same client: KEY-ONE
with forceRefresh: KEY-ONE
a new client: KEY-ONE
a new client with ignoreCache: KEY-TWO
no file: CredentialsProviderError
the file is there, a new client: CredentialsProviderError
a new client with ignoreCache: KEY-LATE'
seen="$(run; run late)"
printf '%s\n' "$seen"
[ "$seen" = "$expected" ] || { echo "changed; expected:"; printf '%s\n' "$expected"; exit 1; }
