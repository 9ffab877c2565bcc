/** What to do when the real service refuses, or undefined when the error is not its. Never repeats a value. */
export function awsHelp(error: unknown, secretId: string, region: string): string | undefined {
  if (!(error instanceof Error)) return undefined;
  const actions = ['DescribeSecret', 'GetSecretValue', 'CreateSecret', 'PutSecretValue'];
  switch (error.name) {
    case 'CredentialsProviderError':
      return `No AWS credentials were found. Set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or
run \`aws sso login\`; or leave out --aws to use the embedded emulator.`;
    case 'UnrecognizedClientException':
    case 'InvalidSignatureException':
    case 'ExpiredTokenException':
      return `AWS did not accept the credentials (${error.name}). Renew them, or try \`aws sts get-caller-identity\`.
Opt-in regions such as ap-east-1 must be enabled for the account; --region <name> takes another one.`;
    case 'AccessDeniedException':
      return `The credentials may not use ${secretId} in ${region}. Allow
${actions.map((action) => `  secretsmanager:${action}`).join('\n')}
or name a secret you may use: --secret <name>.`;
    case 'TimeoutError':
      return `AWS Secrets Manager in ${region} did not answer. Check the network and the region (--region <name>).`;
    case 'InvalidRequestException':
      return `${secretId} cannot be used now; it may be scheduled for deletion. Name another one: --secret <name>.`;
    default:
      return undefined;
  }
}
