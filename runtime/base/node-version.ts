/** As `engines` of the package says. */
export const OLDEST_NODE = '22.18';

/** Whether a version of Node is older than what there is a promise for. Imports nothing: an old Node has to read it. */
export function isOldNode(version: string): boolean {
  const [[major = 0, minor = 0], [oldest = 0, least = 0]] = [partsOf(version), partsOf(OLDEST_NODE)];
  return major < oldest || (major === oldest && minor < least);
}

function partsOf(version: string): number[] {
  return version.split('.').map(Number);
}
