import { spawn, type ChildProcess } from 'node:child_process'

/** A program that runs beside the tests; what it prints is kept for when it fails. */
export class Running {
  private readonly child: ChildProcess
  private output = ''
  private readonly ended: Promise<void>

  constructor(
    command: string,
    args: string[],
    env: NodeJS.ProcessEnv = process.env,
    cwd = process.cwd(),
  ) {
    this.child = spawn(command, args, { env, cwd, stdio: ['ignore', 'pipe', 'pipe'] })
    const keep = (chunk: Buffer) => (this.output = (this.output + chunk.toString()).slice(-20_000))
    this.child.stdout?.on('data', keep)
    this.child.stderr?.on('data', keep)
    this.ended = new Promise((resolve) => {
      this.child.once('exit', () => resolve())
      this.child.once('error', (error) => {
        this.output += String(error)
        resolve()
      })
    })
  }

  /**
   * Resolves when the address answers with the wanted status; fails with the
   * program's own words when it ended first, or took too long.
   */
  async answers(url: string, status: number, deadlineMs = 60_000): Promise<void> {
    const deadline = Date.now() + deadlineMs
    let over = false
    void this.ended.then(() => (over = true))
    for (;;) {
      const response = await fetch(url, { redirect: 'manual' }).catch(() => null)
      if (response?.status === status) return
      if (over || Date.now() > deadline) throw new Error(`${url} does not answer:\n${this.output}`)
      await new Promise((resolve) => setTimeout(resolve, 25))
    }
  }

  /** Resolves with what it printed, once that matches; fails when it ended first, or took too long. */
  async says(pattern: RegExp, deadlineMs = 60_000): Promise<RegExpMatchArray> {
    const deadline = Date.now() + deadlineMs
    for (;;) {
      const match = this.output.match(pattern)
      if (match) return match
      if (this.child.exitCode !== null || Date.now() > deadline)
        throw new Error(`${pattern} was not printed:\n${this.output}`)
      await new Promise((resolve) => setTimeout(resolve, 25))
    }
  }

  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    if (this.child.exitCode === null) this.child.kill(signal)
    await this.ended
  }
}
