import { expect, type Page } from '@playwright/test'
import type { Popup } from './fixtures'
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

/** By which pop-ups a notice was shown, in all tabs together. The browser shows one for each tag. */
export async function popupsOf(pages: Page[], title: string): Promise<Popup[]> {
  const popups = await Promise.all(pages.map((page) => page.evaluate(() => window.popups)))
  return popups.flat().filter((popup) => popup.title === title)
}
