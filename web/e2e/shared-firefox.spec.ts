import { test } from '@playwright/test'
import puppeteer, { type Page } from 'puppeteer-core'
import { expect, PASSWORD } from './fixtures'
import { CountingServer } from './streams'

const TABS = 8

const text = (page: Page, testId: string) =>
  page.$eval(`[data-testid=${testId}]`, (element) => element.textContent ?? '').catch(() => '')

test('Firefox: eight tabs have one stream, also when the first is closed', async () => {
  const counting = await CountingServer.create()
  const { server } = counting
  const firefox = await puppeteer.launch({
    browser: 'firefox',
    executablePath: process.env.BELFRY_FIREFOX ?? '/usr/bin/firefox-esr',
    headless: true,
  })
  try {
    const first = await firefox.newPage()
    await first.goto(server.url)
    await (await first.waitForSelector('[name=username]'))?.type('bob')
    await (await first.waitForSelector('[name=password]'))?.type(PASSWORD)
    await first.keyboard.press('Enter')
    await expect.poll(() => text(first, 'connection')).toContain('Live')
    const pages = [first]
    while (pages.length < TABS) {
      const page = await firefox.newPage()
      await page.goto(server.url)
      pages.push(page)
    }
    for (const page of pages) await expect.poll(() => text(page, 'connection')).toContain('Live')
    await counting.expectStreams(1)
    const ann = await server.signIn('ann')
    await ann.send('bob', 'To all')
    for (const page of pages) await expect.poll(() => text(page, 'list')).toContain('To all')

    await first.close()
    await ann.send('bob', 'To the rest')
    for (const page of pages.slice(1)) {
      await expect.poll(() => text(page, 'list')).toContain('To the rest')
    }
    await counting.expectStreams(1)
  } finally {
    await firefox.close()
    await server.remove()
  }
})
