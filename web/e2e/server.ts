import { execFileSync } from 'node:child_process'
import { cpSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { request, type APIRequestContext } from '@playwright/test'
import { Nginx } from './nginx'
import { freePort } from './ports'
import { Running } from './process'

const binary = resolve(process.env.BELFRY_BIN ?? join(import.meta.dirname, '../../bin/belfry'))

export const PASSWORD = 'correct horse battery'

/** Settings of a server, as `BELFRY_…` names without the prefix. */
export type Settings = Record<string, string>

const DEFAULTS: Settings = {
  HEARTBEAT: '1s',
  DRAIN: '1s',
  LOG_FORMAT: 'text',
}

/** Made once a process and copied: what it holds takes as long to make as many a test. */
let template: string | null = null

/** A data folder with the users ann (an administrator) and bob. */
function withUsers(): string {
  if (template) return template
  const dir = mkdtempSync(join(tmpdir(), 'belfry-e2e-'))
  const env = { PATH: process.env.PATH, HOME: dir }
  const add = (name: string, displayName: string, ...flags: string[]) => {
    const args = ['user', 'add', name, '--display-name', displayName, '--password-stdin', ...flags]
    execFileSync(binary, args, { env, input: PASSWORD, cwd: dir })
  }
  add('ann', 'Ann Keller', '--admin')
  add('bob', 'Bob Ng')
  process.once('exit', () => rmSync(dir, { recursive: true, force: true }))
  return (template = join(dir, 'data'))
}

/** A Belfry of its own: free port, fresh database, the users ann (an administrator) and bob. */
export class Server {
  /** Where browsers find it. */
  readonly url: string
  private readonly direct: string
  private readonly dir: string
  private readonly env: NodeJS.ProcessEnv
  private readonly nginx: Nginx | null
  private running: Running | null = null

  private constructor(
    dir: string,
    port: number,
    url: string,
    settings: Settings,
    nginx: Nginx | null,
  ) {
    this.dir = dir
    this.nginx = nginx
    this.direct = `http://127.0.0.1:${port}`
    this.url = url
    const all: Settings = {
      ...DEFAULTS,
      LISTEN: `127.0.0.1:${port}`,
      DATABASE_URL: `sqlite:${dir}/data/belfry.db`,
      PUBLIC_URL: this.url,
      ...(nginx ? { TRUSTED_PROXIES: '127.0.0.0/8' } : {}),
      ...settings,
    }
    this.env = { PATH: process.env.PATH, HOME: dir }
    for (const [name, value] of Object.entries(all)) this.env[`BELFRY_${name}`] = value
  }

  /** @param more settings that are known only with the address at which browsers will find it */
  static async create(
    settings: Settings = {},
    more: (url: string) => Promise<Settings> = async () => ({}),
  ): Promise<Server> {
    const dir = mkdtempSync(join(tmpdir(), 'belfry-e2e-'))
    const port = await freePort()
    const nginx = process.env.BELFRY_E2E_VIA === 'nginx' ? await Nginx.create(dir, port) : null
    // By name, for browsers keep no passkeys for a number.
    const url = nginx?.url ?? `http://localhost:${port}`
    const server = new Server(dir, port, url, { ...settings, ...(await more(url)) }, nginx)
    cpSync(withUsers(), join(dir, 'data'), { recursive: true })
    await server.start()
    await nginx?.start()
    return server
  }

  async start(): Promise<void> {
    this.running = new Running(binary, ['serve'], this.env)
    await this.running.answers(`${this.direct}/readyz`, 200)
  }

  /** Ends the server, by default without a word of farewell. */
  async stop(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    await this.running?.stop(signal)
    this.running = null
  }

  /** Asks the database itself, past the server. */
  sql(query: string): string {
    return execFileSync('sqlite3', ['-readonly', join(this.dir, 'data/belfry.db'), query], {
      encoding: 'utf8',
    }).trim()
  }

  /** Copies the database away; the server must not run. */
  backup(): void {
    cpSync(join(this.dir, 'data'), join(this.dir, 'backup'), { recursive: true })
  }

  /** Puts the copy back as an administrator does; the server must not run. */
  restore(): void {
    rmSync(join(this.dir, 'data'), { recursive: true })
    cpSync(join(this.dir, 'backup'), join(this.dir, 'data'), { recursive: true })
    execFileSync(binary, ['epoch', 'new'], { env: this.env, cwd: this.dir })
  }

  async remove(): Promise<void> {
    await this.nginx?.stop()
    await this.stop()
    rmSync(this.dir, { recursive: true, force: true })
  }

  /** Signs a user in outside any browser: another device of theirs. */
  async signIn(username: string, password = PASSWORD): Promise<Device> {
    const context = await request.newContext({ baseURL: this.url, ignoreHTTPSErrors: true })
    const device = new Device(context)
    await device.call('post', '/login', { username, password })
    return device
  }
}

/** A session without a page. */
export class Device {
  private readonly context: APIRequestContext

  constructor(context: APIRequestContext) {
    this.context = context
  }

  /** Calls the interface; anything but a success fails the test. */
  async call<T = unknown>(
    method: 'get' | 'post' | 'put' | 'patch' | 'delete',
    path: string,
    data?: object,
  ): Promise<T> {
    const response = await this.context[method](`/api/v1${path}`, data ? { data } : {})
    if (!response.ok()) {
      throw new Error(`${method} ${path}: ${response.status()} ${await response.text()}`)
    }
    return (response.status() === 204 ? null : await response.json()) as T
  }

  /** Begins a task; administrators may. */
  async beginTask(title: string, ...readers: string[]): Promise<TaskWriter> {
    const to = { users: readers }
    const { id } = await this.call<{ id: number }>('post', '/tasks', { title, to })
    return new TaskWriter(this.context, id)
  }

  /** Writes to users; returns the notice's id. */
  async send(to: string, title: string, more: object = {}): Promise<number> {
    const notice = { to: { users: [to] }, title, ...more }
    return (await this.call<{ id: number }>('post', '/notices', notice)).id
  }

  /** Sends as many at once as one request may hold, 1,000 at most, in this order. */
  async sendMany(to: string, titles: readonly string[], more: object = {}): Promise<void> {
    const lines = titles.map((title) => JSON.stringify({ to: { users: [to] }, title, ...more }))
    const response = await this.context.post('/api/v1/notices/batch', {
      headers: { 'Content-Type': 'application/x-ndjson' },
      data: Buffer.from(lines.join('\n')),
    })
    const answers = (await response.text()).trim().split('\n')
    const refused = answers.filter((line) => (JSON.parse(line) as { status: number }).status >= 300)
    if (!response.ok() || refused.length > 0) throw new Error(`${response.status()} ${refused[0]}`)
  }
}

/** Whoever does a task, and writes its log. */
export class TaskWriter {
  readonly id: number
  private readonly context: APIRequestContext
  private end = 0

  constructor(context: APIRequestContext, id: number) {
    this.context = context
    this.id = id
  }

  /** Writes what follows; 16 MiB at most. */
  async write(text: string | Buffer): Promise<void> {
    const data = Buffer.from(text)
    const path = `/api/v1/tasks/${this.id}/log?offset=${this.end}`
    const response = await this.context.post(path, { data })
    if (!response.ok()) throw new Error(`${path}: ${response.status()} ${await response.text()}`)
    this.end += data.length
  }

  async finish(state: 'succeeded' | 'failed' | 'canceled', exitCode: number): Promise<void> {
    const path = `/api/v1/tasks/${this.id}/finish`
    const response = await this.context.post(path, { data: { state, exit_code: exitCode } })
    if (!response.ok()) throw new Error(`${path}: ${response.status()}`)
  }
}
