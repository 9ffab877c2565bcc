/**
 * How much a name says about its value. A `password` may be any word or number, a `secret` any that is no number of a few digits; a
 * `key` has digits or both cases, and so has a `variable` where variables are set; a `hint` alone says little, so that the value has
 * to look like nothing else. An `authorization` is a scheme and a credential, a `cookie` names and values, a `login` who and a password, a
 * `webhook` a URL, a `phrase` words.
 */
export type NameClass =
  | 'password'
  | 'secret'
  | 'key'
  | 'variable'
  | 'hint'
  | 'authorization'
  | 'cookie'
  | 'login'
  | 'webhook'
  | 'phrase';

/** Longer names are judged by their end. */
const LONGEST_NAME = 128;

type Row = readonly [kind: NameClass, name: RegExp, why: string];

/** The rows over the words of a name, in lower case with a blank between them; the first that fits counts. */
const rows: readonly Row[] = [
  ['password', /pass ?(?:word|wd|phrase|code|wort)s?$/, 'also `dbpassword`'],
  [
    'password',
    /(?:^| )(?:pass|psk|psw|pw|pwd|pin|pin code)$/,
    '`SMTP_PASS`, `db_pass`, `imapPass`, `pin: 492817`',
  ],
  [
    'password',
    /(?:^| )(?:admin|auth|db|email|ftp|imap|keystore|mail|mysql|pg|proxy|redis|root|smtp|ssh|sudo|user)pass$/,
    'the same without a break',
  ],
  ['phrase', /(?:^| )(?:mnemonic|(?:seed|recovery) ?phrase)$/, 'the words of a wallet'],
  ['authorization', /(?:^| )authorization$/, 'headers of requests: `Authorization: Basic …`'],
  ['webhook', /(?:^| )web ?hook(?: ?ur[il])?s?$/, 'who knows the URL may post'],
  ['secret', /(?:secret|token)s?$/, '`appSecret`, `botToken`, `accessToken2`, `authtoken`'],
  [
    'key',
    /(?:^| )(?:(?:api|access|account|admin|aes|app|application|auth|authentication|cipher|client|cookie|crypto) ?keys?)$|(?:^| )(?:api|access|account|app|auth)keys?$/,
    '`X-Api-Key`, `GEMINI_API_KEY_1`, `encodingAESKey`, `AccountKey` of Azure, `APP_KEY` of Laravel',
  ],
  [
    'key',
    /(?:^| )(?:decrypt|decryption|deploy|encrypt|encryption|gpg|hmac|jwt|master|pgp|private|role|root|secret|licen[cs]e|preshared|service|shared|sign|signing|ssh|ssl|subscription|tls|vapid) ?keys?$/,
    '`encryptKey` of Feishu, `masterKey`, `SERVICE_ROLE_KEY` of Supabase',
  ],
  ['key', /(?:api|access|secret|private|signing|encryption)keys?$/, '`openaiapikey`'],
  ['key', /(?:^| )(?:credentials?|creds|pat|key data)$/, '`gcpCredentials`, `GITHUB_PAT`, `client-key-data`'],
  ['hint', /(?:^| )keys?$/, '`key` of auth-profiles.json, `stripeKey`'],
  ['cookie', /(?:^| )cookies?$/, 'what a browser sent: `sid=…; path=/`'],
  ['login', /(?:^| )(?:auth|user ?pass|user ?pwd)$/, '`basicAuth: "desk:…"`, `_auth` of npm'],
  ['hint', /(?:^| )(?:access|refresh|dsn|jwt|salt)$/, 'oauth.json, `_auth` of npm, Sentry'],
];

/** Names that end like a credential's and are none. */
const others: readonly RegExp[] = [
  /(?:^| )public|(?:^| )publishable/,
  // What a model counts, and what stands in its vocabulary.
  /(?:^| )(?:max|min|total|prompt|completion|input|output|context|reserve|num|budget|thinking|reasoning|cached?|used|limit|target|new|bos|eos|pad|unk|sep|cls|mask|stop|special|start|end) (?:\w+ )?tokens?$/,
  // What a list goes on with, and what stops a call.
  /(?:^| )(?:next|page|paging|continuation|sync|cancel|cancellation|resume) (?:page )?(?:token|key)s?$/,
  // The name of a Kubernetes secret.
  /(?:^| )(?:existing|pull) secrets?$/,
  /(?:^| )(?:primary|foreign|partition|sort|cache|hot|shortcut|registry|index|lookup|dedupe|idempotency|group|group by|routing|session|object|map|row|column|json|i18n|translation|label|metric|config|state|event|message|site|query|unique|composite|natural|sub|arrow|function|modifier|trigger|bind) ?keys?$/,
];

/** What a name says; undefined for one that says nothing. */
export function nameClass(name: string): NameClass | undefined {
  const words = wordsOf(name);
  if (others.some((pattern) => pattern.test(words))) return undefined;
  const kind = rows.find(([, pattern]) => pattern.test(words))?.[0];
  // `STRIPE_KEY`: what has the form of a variable is set for a program.
  if (kind === 'hint' && / keys?$/.test(words) && /^[A-Z\d_]+$/.test(name)) return 'variable';
  return kind;
}

/** Whether a name alone says that its value is a credential. */
export function isCredentialName(name: string): boolean {
  const kind = nameClass(name);
  return kind !== undefined && kind !== 'hint';
}

/** Whether what stands below a name has it too: `apiKeys: { openai: … }`. */
export function isContainerName(name: string): boolean {
  return name.endsWith('s') && isCredentialName(name);
}

/** Says where or when it is used, or that it is the value itself. */
const suffix =
  / (?:prod|production|dev|development|stag|stage|staging|live|sandbox|local|default|main|old|new|backup|primary|secondary|value|plain|plaintext|string|text|v)$/;

/** What is told of a credential beside it, and a hash of it. */
const details =
  /(?:^| )(?:sha|hash|digest|fingerprint|checksum|thumbprint|id|ids|name|label|url|uri|type|version|created|updated|expires|expiry|at|ref|path|file|host|email|user|username|account|provider|model|region|scope|scopes)$/;

/** Whether what has a name in one of a credential's own is told of it, and not the credential. */
export function isDetail(name: string): boolean {
  return details.test(wordsOf(name));
}

/** `encodingAESKey` → `encoding aes key`; a number at the end counts the names only. */
function wordsOf(name: string): string {
  const words = name
    .slice(-LONGEST_NAME)
    .replace(/[\W_]*\d{1,4}$/, '')
    .replaceAll(/([a-z\d])([A-Z])/g, '$1 $2')
    .replaceAll(/([A-Z])([A-Z][a-z])/g, '$1 $2')
    .replaceAll(/[\W_]+/g, ' ')
    .trim()
    .toLowerCase();
  return words.replace(suffix, '');
}
