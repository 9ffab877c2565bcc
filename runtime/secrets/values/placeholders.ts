/** The longest value that is examined: nobody writes a longer placeholder. */
const LONGEST = 256;

const kinds: readonly (readonly [reason: string, ...RegExp[]])[] = [
  ['it is empty', /^$/],
  [
    'it is what a redaction leaves',
    /^[\s[(<{*_:#-]*(redacted|filtered|censored|masked|hidden|sensitive ?information)[\s\])>}*_:#-]*$/i,
    /^<redacted:[^<>]*>$/i,
    /^:censored:/,
    /__OPENCLAW_REDACTED__/,
    /^oc-sent-v\d+\./,
    // Masks that keep a few characters at both ends.
    /^[\w.-]{0,12}(…|\.{3,}|\*{3,})[\w.-]{0,12}$/,
  ],
  [
    'it is a variable that was not filled in',
    /\$\{\s*[A-Za-z_][\w.-]*\s*\}/,
    /^\{\{[^{}]*\}\}$/,
    /^%[A-Z_]+%$/,
  ],
  ['it is an example key of the AWS documentation', /^A[KS]IA[A-Z0-9]{5,}EXAMPLE$/, /EXAMPLEKEY$/],
  [
    'it is a text that stands for the real one',
    /^<[^<>]+>$/,
    /^\[[A-Za-z][A-Za-z _-]*\]$/,
    /^(changeme|change[ _-](me|it|this)|placeholder|example|to-?do|tbd|fixme|dummy|sample|insert[ _-]?here)!?$/i,
    /^([a-z]{2,4}[_-])?(your|insert|enter|put|add|paste|replace|example|dummy|fake)[ _-]([a-z]+[ _-])*(key|token|secret|password|credential|credentials|here|value|me|this|it)$/i,
    /^(undefined|NaN|\[object \w+\])$/,
  ],
  [
    'it is nothing but filler',
    /^([a-z]{2,6}[_-]){0,2}[xX]{3,}$/,
    /^([*.•#_-])\1{2,}$/,
    /^([a-z]{2,6}[_-]){1,2}(0{8,}|1234567890?)$/,
  ],
];

const utf8 = new TextDecoder();

/**
 * The reason why the bytes are a placeholder and no secret, as a clause that quotes nothing of them; undefined for
 * what may be real. White space and quotation marks around them do not count.
 */
export function placeholderReason(bytes: Uint8Array): string | undefined {
  if (bytes.byteLength > LONGEST) return undefined;
  const text = utf8
    .decode(bytes)
    .trim()
    .replace(/^(["'`])(.*)\1$/s, '$2')
    .trim();
  return kinds.find(([, ...patterns]) => patterns.some((pattern) => pattern.test(text)))?.[0];
}
