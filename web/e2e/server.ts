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

/** A Belfry of its own: free port, fresh database, the users ann (an administrator) and bob. */
export class Server {
  /** Where browsers find it. */
  readonly url: string
  private readonly direct: string
  private readonly dir: string
  private readonly env: NodeJS.ProcessEnv
  private readonly nginx: Nginx | null
  private running: Running | null = null

  private constructor(dir: string, port: number, settings: Settings, nginx: Nginx | null) {
    this.dir = dir
    this.nginx = nginx
    this.direct = `http://127.0.0.1:${port}`
    this.url = nginx?.url ?? this.direct
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

  static async create(settings: Settings = {}): Promise<Server> {
    const dir = mkdtempSync(join(tmpdir(), 'belfry-e2e-'))
    const port = await freePort()
    const nginx = process.env.BELFRY_E2E_VIA === 'nginx' ? await Nginx.create(dir, port) : null
    const server = new Server(dir, port, settings, nginx)
    server.addUser('ann', 'Ann Keller', '--admin')
    server.addUser('bob', 'Bob Ng')
    await server.start()
    await nginx?.start()
    return server
  }

  private addUser(name: string, displayName: string, ...flags: string[]): void {
    const args = ['user', 'add', name, '--display-name', displayName, '--password-stdin', ...flags]
    execFileSync(binary, args, { env: this.env, input: PASSWORD, cwd: this.dir })
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
    method: 'get' | 'post' | 'patch' | 'delete',
    path: string,
    data?: object,
  ): Promise<T> {
    const response = await this.context[method](`/api/v1${path}`, data ? { data } : {})
    if (!response.ok()) {
      throw new Error(`${method} ${path}: ${response.status()} ${await response.text()}`)
    }
    return (response.status() === 204 ? null : await response.json()) as T
  }

  /** Writes to users; returns the notice's id. */
  async send(to: string, title: string, more: object = {}): Promise<number> {
    const notice = { to: { users: [to] }, title, ...more }
    return (await this.call<{ id: number }>('post', '/notices', notice)).id
  }
}
