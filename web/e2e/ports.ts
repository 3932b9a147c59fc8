import { createServer } from 'node:net'

/**
 * Below what systems give to connections that go out: one of those, or another test, would else take a port
 * between the look at it and the start of what is to listen there.
 */
const FIRST = 20_000
/** Of each worker of the tests. */
const PORTS = 1_000

let taken = process.pid

/** A port of the loopback that nobody listens on, and that no other worker is given. */
export async function freePort(): Promise<number> {
  const worker = Number(process.env.TEST_PARALLEL_INDEX ?? 0)
  for (let tries = 0; tries < PORTS; tries++) {
    const port = FIRST + worker * PORTS + (taken++ % PORTS)
    if (await isFree(port)) return port
  }
  throw new Error('every port is taken')
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)))
  })
}
