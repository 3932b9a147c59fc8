import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net'

/** A path to a server that can stop passing anything on, and say nothing of it. */
export class BlackHole {
  readonly url: string
  private readonly server: Server
  private readonly sockets: Set<Socket>
  private swallowing = false

  private constructor(server: Server, sockets: Set<Socket>) {
    this.server = server
    this.sockets = sockets
    this.url = `http://localhost:${(server.address() as AddressInfo).port}`
  }

  static async before(url: string): Promise<BlackHole> {
    const sockets = new Set<Socket>()
    const server = createServer((near) => {
      const far = connect(Number(new URL(url).port), '127.0.0.1')
      for (const [from, to] of [
        [near, far],
        [far, near],
      ] as const) {
        sockets.add(from)
        from.on('data', (bytes) => {
          if (!hole.swallowing) to.write(bytes)
        })
        from.on('close', () => {
          sockets.delete(from)
          // Not even an end passes.
          if (!hole.swallowing) to.destroy()
        })
        from.on('error', () => undefined)
      }
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const hole = new BlackHole(server, sockets)
    return hole
  }

  /** From now on all is swallowed: what is open stays open, what is opened too. */
  swallow(): void {
    this.swallowing = true
  }

  /** New connections pass again. Those that lost something are of no use any more, as after a change of network. */
  heal(): void {
    this.sockets.forEach((socket) => socket.destroy())
    this.swallowing = false
  }

  async close(): Promise<void> {
    this.sockets.forEach((socket) => socket.destroy())
    await new Promise((resolve) => this.server.close(resolve))
  }
}
