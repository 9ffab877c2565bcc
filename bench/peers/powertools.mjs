import { SecretsProvider } from '@aws-lambda-powertools/parameters/secrets';

/** One `get` a secret, which is what it has. */
export const read = async (awsSdkV3Client, names) => {
  const provider = new SecretsProvider({ awsSdkV3Client });
  return Promise.all(names.map((name) => provider.get(name, { maxAge: 300 })));
};
