import { execFileSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { observe, test as base } from './fixtures'
import { freePort } from './ports'
import { Running } from './process'
import { Server, type Settings } from './server'

const web = resolve(import.meta.dirname, '..')

/** Puts the packed client where a page's own modules are. @returns its folder */
export function installClient(dir: string): string {
  const installed = join(dir, 'node_modules/@belfry/client')
  mkdirSync(installed, { recursive: true })
  const packed = process.env.BELFRY_PACKED ?? ''
  execFileSync('tar', ['-xzf', packed, '-C', installed, '--strip-components=1'])
  return installed
}

/** One of the example pages, installed with the packed client alone and run by its own server. */
export class Example {
  readonly url: string
  readonly belfry: Server
  private readonly dir: string
  private readonly running: Running

  private constructor(url: string, belfry: Server, dir: string, running: Running) {
    this.url = url
    this.belfry = belfry
    this.dir = dir
    this.running = running
  }

  /**
   * Starts an example and a Belfry that accepts its origin.
   * @param host by which the page is found: `localhost` is Belfry's own site, `127.0.0.1` another
   */
  static async start(
    name: string,
    settings: Settings = {},
    host: 'localhost' | '127.0.0.1' = 'localhost',
  ): Promise<Example> {
    const port = await freePort()
    const url = `http://${host}:${port}`
    const belfry = await Server.create({ CORS_ORIGINS: url, ...settings })
    const dir = mkdtempSync(join(tmpdir(), 'belfry-example-'))
    install(name, dir)
    const env: NodeJS.ProcessEnv = {
      ...{ PATH: process.env.PATH, PORT: String(port), BELFRY_URL: belfry.url },
      ...(name === 'ticket' ? { APP_USER: 'bob', BELFRY_KEY: await ticketKey(belfry) } : {}),
    }
    const running = new Running(process.execPath, ['server.js'], env, dir)
    await running.answers(url, 200)
    return new Example(url, belfry, dir, running)
  }

  async remove(): Promise<void> {
    await this.running.stop()
    await this.belfry.remove()
    rmSync(this.dir, { recursive: true })
  }
}

/** What the examples need besides the client, which is installed here already. */
const OTHERS: Record<string, string[]> = {
  vue: ['vue'],
  react: ['react', 'react-dom'],
  'fetch-event-source': ['vue', '@microsoft/fetch-event-source'],
}

function install(name: string, dir: string): void {
  cpSync(join(web, 'examples', name), dir, { recursive: true })
  installClient(dir)
  for (const other of OTHERS[name] ?? []) {
    mkdirSync(dirname(join(dir, 'node_modules', other)), { recursive: true })
    symlinkSync(join(web, 'node_modules', other), join(dir, 'node_modules', other))
  }
  if (name === 'react')
    execFileSync(join(web, 'node_modules/.bin/vite'), ['build', '--logLevel', 'error'], {
      cwd: dir,
    })
}

async function ticketKey(belfry: Server): Promise<string> {
  const ann = await belfry.signIn('ann')
  const made = { name: 'example', scopes: ['tickets:write'] }
  return (await ann.call<{ key: string }>('post', '/keys', made)).key
}

type Start = (name: string, settings?: Settings, host?: '127.0.0.1') => Promise<Example>

/** The example pages, on another origin than Belfry, with nothing of it but the packed client. */
export const test = base.extend<{ start: Start }>({
  start: async ({}, use) => {
    const started: Example[] = []
    await use(async (name, settings, host) => {
      const example = await Example.start(name, settings, host)
      started.push(example)
      return example
    })
    for (const example of started) await example.remove()
  },
  page: async ({ page }, use) => {
    await page.addInitScript(observe)
    await use(page)
  },
})
