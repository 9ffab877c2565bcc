/**
 * Whether bytes are all that is in their memory, as mostly those are that a socket gives. Such memory can move to a thread
 * without showing it more than the bytes.
 */
export function areAlone({ buffer, byteLength }: Uint8Array): boolean {
  return buffer instanceof ArrayBuffer && buffer.byteLength === byteLength;
}
