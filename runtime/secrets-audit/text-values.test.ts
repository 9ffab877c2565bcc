import { expect, test } from 'vitest';
import { auditFiles } from './audit.ts';

const value = 'q8Zt-Lw2vX-7hKd';

async function found(file: string, text: string): Promise<string[]> {
  const files = [{ file: `/desk/${file}`, text, isResidue: false }];
  const { findings } = await auditFiles({ files, unread: [] });
  return findings.map(({ line, message }) => `${line} ${message.split('" ', 1)[0]?.replace(/^"/, '')}`);
}

test.each([
  ['a list of YAML', 'a.yaml', `apiKeys:\n  - ${value}\n  - "${value}2" # old\n`, ['2 apiKeys', '3 apiKeys']],
  ['a list in brackets', 'a.toml', `api_keys = ["${value}", "${value}2"]\n`, ['1 api_keys', '1 api_keys']],
  ['a name beside a value', 'a.yaml', `env:\n  - name: API_KEY\n    value: ${value}\n`, ['3 API_KEY']],
  ['the same in JSON', 'a.json', `[{ "name": "API_KEY", "value": "${value}" }]`, ['1 API_KEY']],
  ['a variable of a container', 'Dockerfile', `ENV API_KEY ${value}\n`, ['1 API_KEY']],
  ['a variable of PowerShell', 'a.ps1', `$env:API_KEY = "${value}"\n`, ['1 API_KEY']],
  ['a variable in a command', 'a.sh', `run: API_KEY=${value} node .\n`, ['1 API_KEY']],
  ['an element', 'a.xml', `<server><password>${value}</password></server>`, ['1 password']],
  ['a hash of Ruby', 'a.rb', `'password' => '${value}'\n`, ['1 password']],
  ['a declaration of Go', 'a.go', `apiKey := "${value}"\n`, ['1 apiKey']],
  ['a unit of systemd', 'a.service', `Environment="API_KEY=${value}"\n`, ['1 API_KEY']],
  ['lines of JSON', 'a.jsonl', `{"a":1}\n{"password":"hunter"}\n`, ['2 password']],
  [
    'an object that only looks like a reference',
    'a.json',
    `{"source":"npm","id":"x","token":"${value}"}`,
    ['1 token'],
  ],
  ['a connection string', 'a.txt', 'Server=db;Password=hunter;Database=desk', ['1 Password']],
])('%s has its names', async (_what, file, text, names) => {
  expect(await found(file, text)).toEqual(names);
});

test.each([
  ['members and calls', 'a.ts', 'const pass = check(user2); token = other.token2;\n'],
  ['types', 'a.ts', 'interface Desk { secret: Uint8Array; token: string }\n'],
  ['words in quotes', 'a.ts', "const KEYS = ['Uint8ClampedArray', 'Float32Array'];\n"],
  ['an option of fetch', 'a.ts', "fetch(url2, { credentials: 'same-origin' })\n"],
  ['a reference of Kubernetes', 'a.yaml', 'secretKeyRef: { name: db-secret-1, key: password1 }\n'],
  ['a variable beside a name', 'a.yaml', '- name: password\n  value: ${DB_PASSWORD_2}\n'],
  ['versions of packages', 'package.json', '{"dependencies":{"js-tokens":"^4.0.0","jsonwebtoken":"9.0.2"}}'],
  ['labels of a form', 'en.json', '{"password":"Password","token":"Enter your token"}'],
  ['a user of a container', 'a.sh', 'docker run -u 1000:1000 desk2\ncurl -u "$USER:$PASS" https://x2\n'],
  ['what people count', 'a.json', '{"maxTokens":200000,"contextTokens":"128000","budget_tokens":1048576}'],
  ['what stands for a test', 'a.json', '{"apiKey":"sk-test","token":"abc123","secret":"mock-secret-1"}'],
  ['a SecretRef', 'a.json', '{"apiKey":{"source":"exec","provider":"vault","id":"desk#q8Zt2Lw7vX4nB1mK"}}'],
])('%s are none', async (_what, file, text) => {
  expect(await found(file, text)).toEqual([]);
});
