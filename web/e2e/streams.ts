import { expect, type Page } from '@playwright/test'
import { freePort } from './ports'
import { Server, type Settings } from './server'

/** A server that can be asked how many streams it holds. */
export class CountingServer {
  readonly server: Server
  private readonly metrics: string

  private constructor(server: Server, metrics: string) {
    this.server = server
    this.metrics = metrics
  }

  static async create(settings: Settings = {}): Promise<CountingServer> {
    const listen = `127.0.0.1:${await freePort()}`
    const server = await Server.create({ ...settings, INTERNAL_LISTEN: listen })
    return new CountingServer(server, `http://${listen}/metrics`)
  }

  async streams(): Promise<number> {
    const text = await (await fetch(this.metrics)).text()
    return Number(/^belfry_streams_open (\d+)$/m.exec(text)?.[1])
  }

  /** Waits until so many are open: one that was given up is noticed a little later. */
  async expectStreams(count: number): Promise<void> {
    await expect.poll(() => this.streams()).toBe(count)
  }
}

/** How often a notice popped up, in all tabs together. */
export async function popupsOf(pages: Page[], title: string): Promise<number> {
  const titles = pages.map((page) => page.evaluate(() => window.popups.map((popup) => popup.title)))
  return (await Promise.all(titles)).flat().filter((each) => each === title).length
}
