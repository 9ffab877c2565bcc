/** As `engines` of the package says. */
const LEAST = { major: 22, minor: 18 };

/** What to do when this Node is too old; undefined when it is not. */
export function enoughNode(version: string): string | undefined {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  if (major > LEAST.major || (major === LEAST.major && minor >= LEAST.minor)) return undefined;
  return `Holdfast needs Node ${LEAST.major}.${LEAST.minor} or later, and this is ${version}: install a current one from https://nodejs.org.`;
}
