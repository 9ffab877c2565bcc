/** Where a node is reached, of `host:port`, or `[address]:port` for IPv6; undefined: it is neither. */
export function nodeAddress(text: unknown): { readonly host: string; readonly port: number } | undefined {
  const found =
    typeof text === 'string' ? /^(?:\[([0-9a-f:.]+)\]|([^[\]:/\s]+)):(\d{1,5})$/i.exec(text) : null;
  const [host, port] = [found?.[1] ?? found?.[2], Number(found?.[3])];
  return host === undefined || port < 1 || port > 65_535 ? undefined : { host, port };
}
