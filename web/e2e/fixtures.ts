import { AxeBuilder } from '@axe-core/playwright'
import {
  expect,
  test as base,
  type Browser,
  type BrowserContextOptions,
  type Page,
} from '@playwright/test'
import { PASSWORD, Server, type Settings } from './server'

export { expect }
export { PASSWORD }

export interface Popup {
  title: string
  body: string
  tag: string
  at: number
}

declare global {
  interface Window {
    popups: Popup[]
    clickPopup: (title: string) => void
    violations: string[]
  }
}

/** Notes each desktop notification, and what the page's security policy refused. */
export function observe(): void {
  window.popups = []
  window.violations = []
  document.addEventListener('securitypolicyviolation', (event) => {
    window.violations.push(`${event.violatedDirective} ${event.blockedURI} ${event.sourceFile}`)
  })
  const open = new Map<string, Notification>()
  window.clickPopup = (title) => open.get(title)?.onclick?.(new Event('click'))
  window.Notification = class extends Notification {
    constructor(title: string, options: NotificationOptions = {}) {
      super(title, options)
      open.set(title, this)
      window.popups.push({
        title,
        body: options.body ?? '',
        tag: options.tag ?? '',
        at: Date.now(),
      })
    }
  }
}

/** What a browser can be made to lack, each of which tabs can share a stream by. */
export type Lack = 'workers' | 'locks'

function takeAway(lacks: Lack[]): void {
  if (lacks.includes('workers')) Reflect.deleteProperty(window, 'SharedWorker')
  if (lacks.includes('locks')) {
    Object.defineProperty(Navigator.prototype, 'locks', { get: () => undefined })
  }
}

interface Visit extends BrowserContextOptions {
  /** Without workers the stream is the page's own, where a test can get at it. */
  without?: Lack[]
}

/** A browser profile of its own, with one page. */
export async function visit(
  browser: Browser,
  server: Server,
  { without = [], ...options }: Visit = {},
): Promise<Page> {
  const context = await browser.newContext({ baseURL: server.url, ...options })
  await context.addInitScript(observe)
  if (without.length > 0) await context.addInitScript(takeAway, without)
  const page = await context.newPage()
  await page.goto('/')
  return page
}

export async function signIn(page: Page, username: string, password = PASSWORD): Promise<void> {
  // By name, not by label, for the page may speak any language.
  await page.locator('[name=username]').fill(username)
  await page.locator('[name=password]').fill(password)
  await page.keyboard.press('Enter')
  await expect(pill(page)).toContainText(/Live|实时/)
}

export async function visitAs(
  browser: Browser,
  server: Server,
  username: string,
  options: Visit = {},
): Promise<Page> {
  const page = await visit(browser, server, options)
  await signIn(page, username)
  return page
}

export const pill = (page: Page) => page.getByTestId('connection')
export const toast = (page: Page) => page.getByTestId('toast')
export const row = (page: Page, title: string) =>
  page.getByTestId('list').getByRole('link', { name: title })
export const lockField = (page: Page) => page.getByLabel(/^Password of/)

export async function unlock(page: Page, password = PASSWORD): Promise<void> {
  await lockField(page).fill(password)
  await page.getByRole('button', { name: 'Unlock' }).click()
}

/** Everything that a screen reader could find on the page, in one text. */
export async function accessibleText(page: Page): Promise<string> {
  const client = await page.context().newCDPSession(page)
  const { nodes } = await client.send('Accessibility.getFullAXTree')
  await client.detach()
  return nodes
    .filter((node) => !node.ignored)
    .map((node) => `${String(node.name?.value ?? '')} ${String(node.value?.value ?? '')}`)
    .join('\n')
}

/**
 * Fails on anything that axe finds on the page as it is.
 * @param rules these alone, where the others cannot have changed
 */
export async function expectAccessible(page: Page, rules?: string[]): Promise<void> {
  // Half a megabyte, which a document needs but once. There are no frames, so that it need not assemble what it
  // finds in a page of its own: that took three times as long as the looking.
  const there = await page.evaluate(() => 'axe' in window)
  const axe = new AxeBuilder({ page, ...(there ? { axeSource: ';' } : {}) }).setLegacyMode()
  axe.options({ resultTypes: ['violations'] })
  if (rules) axe.withRules(rules)
  else axe.withTags(['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'])
  const { violations } = await axe.analyze()
  const found = violations.map(
    ({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' | ')}`,
  )
  expect(found).toEqual([])
}

/** Has the next end of all other sessions refused for want of a proof: a real one is good for five minutes. */
export async function refuseOnce(page: Page): Promise<void> {
  let asked = false
  await page.route('**/api/v1/sessions', async (route) => {
    if (asked || route.request().method() !== 'DELETE') return route.fallback()
    asked = true
    await route.fulfill({
      status: 403,
      contentType: 'application/problem+json',
      body: JSON.stringify({ status: 403, code: 'reauthentication_required' }),
    })
  })
}

export interface Fixtures {
  /** A server with settings of the test's own; see `test.use({ settings })`. */
  server: Server
  settings: Settings
}

export const test = base.extend<Fixtures>({
  settings: [{}, { option: true }],
  server: async ({ settings }, use) => {
    const server = await Server.create(settings)
    await use(server)
    await server.remove()
  },
})

test.afterEach(async ({ browser }) => {
  for (const page of browser.contexts().flatMap((context) => context.pages())) {
    const refused = await page.evaluate(() => window.violations).catch(() => [])
    expect(refused, 'what the content security policy refused').toEqual([])
  }
  // The pages first: a shared worker whose context goes before its pages lives on, and asks a server that is gone.
  const contexts = browser.contexts()
  await Promise.all(contexts.flatMap((context) => context.pages()).map((page) => page.close()))
  await Promise.all(contexts.map((context) => context.close()))
})
