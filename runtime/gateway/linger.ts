import { Socket } from 'node:net';

/** How long a client that was told `Connection: close` may take to close it. */
const LINGER_MS = 2000;

const lingering = new WeakMap<Socket, NodeJS.Timeout>();

/**
 * Leaves the closing of a connection to the client, who was told to: one that has sent its next request before it read that, or that
 * does not heed it, loses nothing. To be said for each request; the connection closes when none comes any more.
 */
export function linger(socket: Socket): void {
  clearTimeout(lingering.get(socket));
  // What the server calls after an answer that has the header.
  socket.destroySoon = () => {
    const close = (): void => Socket.prototype.destroySoon.call(socket);
    lingering.set(socket, setTimeout(close, LINGER_MS).unref());
  };
}
