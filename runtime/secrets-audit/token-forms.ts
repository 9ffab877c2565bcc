/** A form that says whose a credential is. The credential is its group `value`, which is the last of it, or the whole. */
export interface TokenForm {
  /** Such as `stripe`. */
  readonly service: string;
  /** Bounded in each quantifier, and not tried in the middle of a word: the time that it takes grows with the text alone. */
  readonly pattern: RegExp;
  /** What of it is a credential: all, what has a digit, or what looks like nothing else. */
  readonly only: 'all' | 'digits' | 'random';
  /** Where the form comes from. */
  readonly from: string;
}

const form = (service: string, source: string, from: string): TokenForm => ({
  service,
  pattern: new RegExp(source, 'g'),
  only: 'all',
  from,
});

/** A token with a prefix: that prefix, and letters and digits behind it. */
const token = (service: string, prefix: string, rest: string, from: string): TokenForm => ({
  ...form(service, `(?<![\\w-])(?:${prefix})${rest}(?![\\w-])`, from),
  only: 'digits',
});

const word = (from: number, to: number): string => `[A-Za-z0-9]{${from},${to}}`;
const slug = (from: number, to: number): string => `[\\w-]{${from},${to}}`;
const hex = (from: number, to: number): string => `[a-f0-9]{${from},${to}}`;

/**
 * What the kept rules of secretlint (`preset-recommend` 12.0.0) lack, or know in one length only: a service that makes its
 * tokens longer is found still. `from` names the public description: the service's documentation, or the rule of gitleaks.
 */
export const tokenForms: readonly TokenForm[] = [
  form(
    'private key',
    '-----BEGIN (?:[A-Z0-9]{1,12} ){0,4}PRIVATE KEY(?: BLOCK)?-----(?:[^-]{0,16000}-----END [A-Z0-9 ]{0,64}-----)?',
    'RFC 7468, OpenSSH, OpenPGP',
  ),
  form('bearer token', '\\b[Bb](?:earer|EARER)[ \\t]{1,8}(?<value>[\\w.~+/-]{16,4096}={0,2})', 'RFC 6750'),
  form(
    'authorization',
    '\\b[Aa]uthorization\\\\{0,3}["\']?[ \\t]{0,8}[:=][ \\t]{0,8}\\\\{0,3}["\']?(?:[Bb]asic|[Bb]earer|[Tt]oken|[Bb]ot|[Aa]pi-?[Kk]ey)[ \\t]{1,8}(?<value>[\\w.~+/:-]{8,4096}={0,2})',
    'RFC 7617, and schemes of services',
  ),
  form(
    'curl',
    '\\bcurl(?=[ \\t])[^\\n\\r]{0,256}?[ \\t](?:-u|--user)[ \\t=]?[ \\t]{0,8}["\']?[^\\s:"\']{1,64}:(?!\\$\\()(?<value>[^\\s"\']{4,256})',
    'curl.se/docs/manpage.html',
  ),
  form(
    'sql',
    "\\b(?:IDENTIFIED BY|PASSWORD)[ \\t]{1,8}'(?<value>[^'\\n\\r]{4,256})(?=')",
    'PostgreSQL, MySQL',
  ),
  form(
    'URL with a password',
    '(?<![a-z0-9+.-])[a-z][a-z0-9+.-]{1,31}://[^\\s:/@?#"\'`<>]{0,256}:(?<value>[^\\s@/"\'`]{1,512})(?=@)',
    'RFC 3986: redis, amqp, smtp and all others',
  ),
  {
    ...form(
      'URL with a token',
      '(?<![a-z0-9+.-])[a-z][a-z0-9+.-]{1,31}://(?<value>[^\\s:/@?#"\'`<>]{16,256})(?=@)',
      'RFC 3986: Sentry, Git',
    ),
    only: 'random',
  },
  form(
    'netrc',
    '(?<!\\w)login\\s{1,16}\\S{1,128}\\s{1,16}password\\s{1,16}(?<value>[^\\s"\'`]{1,256})',
    'gnu.org/software/inetutils, .netrc',
  ),
  token('jwt', 'eyJ', '[\\w-]{8,4096}\\.eyJ[\\w-]{8,8192}\\.[\\w-]{8,4096}', 'RFC 7519'),
  form(
    'telegram',
    '(?<![A-Za-z0-9])(?:bot)?(?<value>\\d{6,16}:A[\\w-]{32,40})(?![\\w-])',
    'core.telegram.org/bots/api: also in a URL',
  ),
  form(
    'discord webhook',
    '(?<![\\w.-])(?:(?:ptb|canary)\\.)?discord(?:app)?\\.com/api/(?:v\\d{1,2}/)?webhooks/\\d{15,22}/[\\w-]{20,100}',
    'docs.discord.com, webhooks',
  ),
  token('discord', '[MNO]', '[\\w-]{22,27}\\.[\\w-]{6,7}\\.[\\w-]{27,40}', 'docs.discord.com, bot tokens'),
  form(
    'teams webhook',
    'https://[\\w-]{1,64}\\.webhook\\.office\\.com/webhookb2/[\\w@/-]{30,300}',
    'gitleaks microsoft-teams-webhook',
  ),
  form(
    'wecom webhook',
    'qyapi\\.weixin\\.qq\\.com/cgi-bin/webhook/send\\?key=(?<value>[\\w-]{16,64})',
    'developer.work.weixin.qq.com',
  ),
  form(
    'feishu webhook',
    'open\\.(?:feishu\\.cn|larksuite\\.com)/open-apis/bot/v2/hook/(?<value>[\\w-]{16,64})',
    'open.feishu.cn',
  ),
  form(
    'dingtalk webhook',
    'oapi\\.dingtalk\\.com/robot/send\\?access_token=(?<value>[\\w-]{16,128})',
    'open.dingtalk.com',
  ),
  token('google api key', 'AIza', slug(30, 60), 'gitleaks gcp-api-key'),
  token('google oauth', 'ya29\\.|GOCSPX-|1//0', slug(20, 2048), 'developers.google.com/identity'),
  token('xai', 'xai-', word(20, 200), 'docs.x.ai'),
  token('openrouter', 'sk-or-v1-', word(20, 200), 'openrouter.ai/docs'),
  token('openai', 'sk-(?:proj|svcacct|admin|None)-', slug(20, 300), 'gitleaks openai-api-key'),
  token('anthropic', 'sk-ant-', slug(20, 300), 'gitleaks anthropic-api-key'),
  token('model provider', 'sk-', slug(20, 300), 'OpenAI of before, DeepSeek, Moonshot, DashScope, LiteLLM'),
  token('perplexity', 'pplx-', word(20, 200), 'gitleaks perplexity-api-key'),
  token('hugging face', 'hf_|api_org_', word(20, 200), 'gitleaks huggingface-access-token'),
  token('groq', 'gsk_', word(20, 200), 'console.groq.com'),
  token('cerebras', 'csk-', word(20, 200), 'inference-docs.cerebras.ai'),
  token('nvidia', 'nvapi-', slug(20, 200), 'docs.api.nvidia.com'),
  token('replicate', 'r8_', word(20, 100), 'replicate.com/docs'),
  token('fireworks', 'fw_', word(20, 100), 'docs.fireworks.ai'),
  token('together', 'tgp_v1_', slug(20, 200), 'docs.together.ai'),
  token('langsmith', 'lsv2_(?:pt|sk)_', '\\w{20,200}', 'gitleaks, docs.smith.langchain.com'),
  token('tavily', 'tvly-', slug(16, 100), 'docs.tavily.com'),
  token('firecrawl', 'fc-', hex(24, 64), 'docs.firecrawl.dev'),
  token('brave search', 'BSA', slug(24, 60), 'api-dashboard.search.brave.com'),
  token('jina', 'jina_', word(20, 200), 'jina.ai'),
  token('pinecone', 'pcsk_', '\\w{20,200}', 'docs.pinecone.io'),
  token('stripe', '(?:sk|rk)_(?:live|prod)_', word(10, 200), 'gitleaks stripe-access-token'),
  token('stripe webhook', 'whsec_', '[A-Za-z0-9+/]{20,200}', 'docs.stripe.com/webhooks'),
  token('digitalocean', 'do[opr]_v1_', hex(20, 128), 'gitleaks digitalocean-pat'),
  token('github', 'gh[pousr]_', word(36, 255), 'docs.github.com: later ones are longer'),
  token('github', 'github_pat_', '\\w{22,255}', 'docs.github.com'),
  token(
    'gitlab',
    'gl(?:pat|ptt|dt|rt|cbt|ft|soat|agent|imt)-',
    slug(20, 300),
    'docs.gitlab.com, token prefixes',
  ),
  token('slack', 'xox[abcdeoprs]-|xoxe\\.xox[bp]-|xapp-', '[A-Za-z0-9-]{16,300}', 'gitleaks slack-*'),
  token('tailscale', 'tskey-[a-z]{2,16}-', slug(16, 100), 'tailscale.com/kb'),
  token('npm', 'npm_', word(36, 36), 'docs.npmjs.com'),
  token('pypi', 'pypi-AgEI', slug(50, 1000), 'gitleaks pypi-upload-token'),
  token('vault', 'hv[sbr]\\.', slug(20, 400), 'developer.hashicorp.com/vault'),
  token('doppler', 'dp\\.(?:st|pt|ct|sa|scim|audit)\\.', '[\\w.-]{20,200}', 'docs.doppler.com'),
  token('supabase', 'sb[ps]_(?:secret_)?', slug(20, 100), 'supabase.com/docs'),
  token('linear', 'lin_(?:api|oauth)_', word(20, 128), 'linear.app/developers'),
  token('notion', 'secret_|ntn_', word(40, 60), 'developers.notion.com'),
  token('atlassian', 'ATATT3', '[\\w=-]{50,400}', 'gitleaks atlassian-api-token'),
  token('sentry', 'sntry[us]_', '[\\w=+/-]{20,500}', 'gitleaks sentry-*-token'),
  token('sendgrid', 'SG\\.', '[\\w-]{16,64}\\.[\\w-]{16,128}', 'gitleaks sendgrid-api-token'),
  token('mailgun', 'key-', hex(32, 32), 'gitleaks mailgun-private-api-token'),
  token('age', 'AGE-SECRET-KEY-1', '[A-Z0-9]{58}', 'gitleaks age-secret-key'),
  token('mapbox', 'sk\\.eyJ', '[\\w-]{20,400}\\.[\\w-]{16,64}', 'docs.mapbox.com'),
  token('new relic', 'NRAK-', '[A-Z0-9]{20,40}', 'gitleaks new-relic-user-api-key'),
  token('postman', 'PMAK-', '[a-f0-9]{24}-[a-f0-9]{34}', 'gitleaks postman-api-token'),
  token('elevenlabs', 'sk_', hex(40, 64), 'elevenlabs.io/docs'),
];
