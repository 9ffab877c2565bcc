import { Socket } from 'node:net';

/** Milliseconds that a client may take to close a connection after `Connection: close`. */
const LINGER_MS = 2000;

const lingering = new WeakMap<Socket, NodeJS.Timeout>();

/**
 * Leaves the closing of a connection to the client, who was told to close it: a client that has sent its next request
 * before it read that, or that does not heed it, loses nothing. To be called for each request; the connection closes
 * when none comes any more.
 */
export function linger(socket: Socket): void {
  clearTimeout(lingering.get(socket));
  // The method that the server calls after an answer with the header.
  socket.destroySoon = () => {
    const close = (): void => Socket.prototype.destroySoon.call(socket);
    lingering.set(socket, setTimeout(close, LINGER_MS).unref());
  };
}
