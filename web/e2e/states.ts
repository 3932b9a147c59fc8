import type { Page } from '@playwright/test'
import type { Messages } from '../src/i18n'
import { en } from '../src/i18n/en'
import { enAdmin } from '../src/i18n/en-admin'
import { enPages } from '../src/i18n/en-pages'
import { zhCN } from '../src/i18n/zh-CN'
import { PASSWORD, expect, pill, signIn, toast } from './fixtures'
import type { Device, Server, Settings } from './server'

export type Locale = 'en' | 'zh-CN'

/** What a walk needs, and what is done at each stop. */
export interface Walker {
  page: Page
  server: Server
  /** The page's own words, so that a walk finds its way in any language. */
  say: Messages
  look: (state: string) => Promise<void>
}

export interface Walk {
  name: string
  settings: Settings
  go: (walker: Walker) => Promise<void>
}

export const words = (locale: Locale): Messages =>
  locale === 'zh-CN' ? zhCN : { ...en, ...enPages, ...enAdmin }

export const THEMES = ['light', 'dark', 'contrast'] as const

export async function wear(page: Page, theme: (typeof THEMES)[number]): Promise<void> {
  await page.evaluate((name) => (document.documentElement.dataset.theme = name), theme)
}

const SEVERITIES = ['info', 'success', 'warning', 'critical']

const MARKDOWN = `# Release 4.12

Two things to **know**:

- the *old* address goes on Friday
- \`belfry migrate\` runs by itself

> Nobody has to do anything.

See [the notes](https://example.com/notes).`

/** How many messages `fill` sends. */
const FILLED = 8

/** Everybody's kinds of messages: each severity, too long, from right to left, bare, with buttons. */
async function fill(device: Device): Promise<void> {
  for (const severity of SEVERITIES) {
    await device.send('ann', `A notice of severity ${severity}`, {
      severity,
      body: 'Its text',
      category: 'test',
    })
  }
  await device.send('ann', 'A title that is much too long '.repeat(6).trim(), {
    url: 'https://example.com/a/b',
    actions: [{ label: 'Acknowledge', url: 'https://example.com/ack' }],
  })
  await device.send('ann', 'پیام از راست به چپ', { body: 'متن' })
  await device.send('ann', 'No body')
  await device.send('ann', 'Release notes', { format: 'markdown', body: MARKDOWN })
}

const rows = (page: Page) => page.locator('[data-notice]')
const titled = (page: Page, title: string) => rows(page).filter({ hasText: title })

async function prove(page: Page, password: string): Promise<void> {
  await page.locator('[name=password]').fill(password)
  await page.keyboard.press('Enter')
}

async function clearToasts(page: Page): Promise<void> {
  await expect(async () => {
    while ((await toast(page).count()) > 0) await toast(page).getByRole('button').click()
    await expect(toast(page)).toHaveCount(0, { timeout: 500 })
  }).toPass()
}

const door: Walk = {
  name: 'the door',
  settings: { LOGIN_RATE: '3/m' },
  async go({ page, say, look }) {
    await look('sign in')
    await page.locator('[name=username]').fill('ann')
    await prove(page, 'wrong')
    await expect(page.getByRole('alert')).toHaveText(say.signIn.wrong)
    await look('sign in, refused')
    await expect(async () => {
      await prove(page, 'wrong')
      await expect(page.getByRole('alert')).not.toHaveText(say.signIn.wrong, { timeout: 1_000 })
    }).toPass()
    await expect(page.getByRole('alert')).not.toBeEmpty()
    await look('sign in, throttled')
  },
}

const inbox: Walk = {
  name: 'the inbox',
  settings: {},
  async go(walker) {
    const { page, server, say, look } = walker
    const device = await server.signIn('bob')
    await signIn(page, 'ann')
    await expect(page.getByText(say.inbox.empty.inbox)).toBeVisible()
    await look('inbox, empty')
    await device.send('ann', 'Just now', { severity: 'critical', body: 'Ring' })
    await expect(toast(page)).toBeVisible()
    await look('toast')
    await clearToasts(page)
    await fill(device)
    await expect(rows(page)).toHaveCount(9)
    await expect(toast(page)).toBeVisible()
    await look('toasts, stacked')
    await clearToasts(page)
    await look('inbox')
    await choose(walker)
  },
}

const reading: Walk = {
  name: 'the messages',
  settings: {},
  async go(walker) {
    const device = await walker.server.signIn('bob')
    await fill(device)
    await signIn(walker.page, 'ann')
    await read(walker, device)
  },
}

const finding: Walk = {
  name: 'what is found, comes, or fails',
  settings: {},
  async go(walker) {
    const device = await walker.server.signIn('bob')
    await fill(device)
    await signIn(walker.page, 'ann')
    await find(walker)
    await arrive(walker, device)
    await fail(walker)
  },
}

/** Chooses some, and what can be done with them. */
async function choose({ page, server, say, look }: Walker): Promise<void> {
  const bar = page.getByTestId('selection')
  await rows(page).first().hover()
  const boxes = page.getByTestId('list').getByRole('checkbox')
  await boxes.nth(0).check()
  await boxes.nth(2).click({ modifiers: ['Shift'] })
  await expect(bar).toBeVisible()
  await look('many selected')
  await bar.getByRole('button', { name: say.snooze.action, exact: true }).click()
  await expect(page.getByRole('menuitem').last()).toBeVisible()
  await look('snooze menu')
  await page.getByRole('menuitem').last().click()
  await expect(page.getByRole('dialog')).toBeVisible()
  await look('snooze until')
  await page.keyboard.press('Escape')
  await expect(page.getByRole('dialog')).toHaveCount(0)
  await bar.getByRole('button', { name: say.inbox.archive, exact: true }).click()
  await expect(page.getByRole('button', { name: say.app.undo })).toBeVisible()
  await look('undo')
  // Looking may take longer than the button stands.
  const ann = await server.signIn('ann')
  const { items } = await ann.call<{ items: { id: number }[] }>('get', '/notices?state=archived')
  const ids = items.map(({ id }) => id)
  await ann.call('post', '/notices/state', { ids, archived: false })
  await expect(rows(page)).toHaveCount(9)
}

/** Opens messages of all kinds. */
async function read({ page, say, look }: Walker, device: Device): Promise<void> {
  const detail = page.getByTestId('detail')
  await titled(page, 'Release notes').click()
  await expect(detail.getByRole('blockquote').or(detail.locator('blockquote'))).toBeVisible()
  await look('message, markdown')
  await titled(page, 'A title that is much too long').click()
  await expect(detail.getByRole('link', { name: 'Acknowledge' })).toBeVisible()
  await look('message, long title and buttons')
  await titled(page, 'پیام از راست به چپ').click()
  await expect(detail.getByText('متن')).toBeVisible()
  await look('message, right to left')
  const id = await device.send('ann', 'Taken back')
  await titled(page, 'Taken back').click()
  await expect(detail.getByRole('heading')).toHaveText('Taken back')
  await device.call('delete', `/notices/${id}`)
  await expect(detail.getByText(say.inbox.withdrawn)).toBeVisible()
  await look('message, withdrawn')
  await clearToasts(page)
  await page.getByTestId('account').click()
  await expect(page.getByRole('menu')).toBeVisible()
  await look('account menu')
  await page.keyboard.press('Escape')
  await expect(page.getByRole('menu')).toHaveCount(0)
  await page.keyboard.press('?')
  await expect(page.getByRole('dialog')).toBeVisible()
  await look('shortcuts')
  await page.keyboard.press('Escape')
  await expect(page.getByRole('dialog')).toHaveCount(0)
}

async function find({ page, say, look }: Walker): Promise<void> {
  await page.locator('[data-search]').fill('zzz')
  await expect(page.getByText(say.inbox.empty.search.replace('{query}', 'zzz'))).toBeVisible()
  await look('search, nothing found')
  await page.locator('[data-search]').fill('Release')
  await expect(rows(page)).toHaveCount(1)
  await look('search')
  await page.locator('[data-search]').fill('')
  await expect(rows(page)).toHaveCount(FILLED)
  await page.getByRole('button', { name: say.inbox.view.archived, exact: true }).click()
  await expect(page.getByText(say.inbox.empty.archived)).toBeVisible()
  await look('archived, empty')
  await page.getByRole('button', { name: say.inbox.view.inbox, exact: true }).click()
  await expect(rows(page)).toHaveCount(FILLED)
}

/** New ones above what is being read. */
async function arrive({ page, look }: Walker, device: Device): Promise<void> {
  for (let n = 1; n <= 20; n++) await device.send('ann', `One of many, ${n}`)
  await expect(titled(page, 'One of many, 20')).toBeVisible()
  await page.getByTestId('list').evaluate((list) => list.scrollTo(0, 400))
  await clearToasts(page)
  await device.send('ann', 'Above the fold')
  await expect(page.locator('button.rounded-full.absolute')).toBeVisible()
  await clearToasts(page)
  await look('new ones above')
}

async function fail({ page, say, look }: Walker): Promise<void> {
  let refuse: () => void = () => undefined
  const waiting = new Promise<void>((resolve) => (refuse = resolve))
  await page.route('**/api/v1/notices?*', async (route) => {
    await waiting
    await route.fulfill({ status: 500, contentType: 'application/problem+json', body: '{}' })
  })
  await page.goto('/inbox')
  await expect(page.getByTestId('list')).toBeVisible()
  await look('inbox, loading')
  refuse()
  await expect(page.getByText(say.inbox.failed)).toBeVisible()
  await look('inbox, failed')
  await page.unroute('**/api/v1/notices?*')
}

/** Goes to a page, and looks at it once it is complete. */
async function open(page: Page, path: string, look: Walker['look']): Promise<void> {
  await page.goto(path)
  await expect(page.getByRole('heading', { level: 1 })).toBeAttached()
  await expect(page.getByText('…', { exact: true })).toHaveCount(0)
  await look(path)
}

const administration: Walk = {
  name: 'the administration',
  settings: {},
  async go({ page, look }) {
    await signIn(page, 'ann')
    for (const path of [
      '/admin/overview',
      '/admin/streams',
      '/admin/sessions',
      '/admin/users',
      '/admin/groups',
      '/admin/keys',
      '/admin/webhooks',
      '/admin/audit',
    ])
      await open(page, path, look)
  },
}

const pages: Walk = {
  name: 'the other pages',
  settings: {},
  async go({ page, server, say, look }) {
    const device = await server.signIn('ann')
    await device.call('post', '/notices', { to: { everyone: true }, title: 'For everyone' })
    const later = new Date(Date.now() + 3 * 86_400_000).toISOString()
    await device.send('bob', 'Not before its time', { deliver_at: later })
    const id = await device.send('bob', 'Regretted')
    await device.call('delete', `/notices/${id}`)
    const reader = await server.signIn('bob')
    const { items } = await reader.call<{ items: { id: number }[] }>('get', '/notices')
    await reader.call('patch', `/notices/${items[0]!.id}`, { read: true })

    await signIn(page, 'ann')
    for (const path of ['/compose', '/sent', '/devices', '/settings', '/docs', '/no/such/page'])
      await open(page, path, look)
    await page.goto('/sent')
    await page.getByTestId('sent').locator('button.tabular, button:has(.tabular)').first().click()
    await expect(page.getByRole('dialog')).toBeVisible()
    await look('who has read it')
    await page.keyboard.press('Escape')
    await page.goto('/compose')
    await page.locator('main form button.button-primary').click()
    await expect(page.locator('[aria-invalid="true"]').first()).toBeVisible()
    await look('draft with faults')
    await page.getByRole('combobox').first().fill('b')
    await expect(page.getByRole('option').first()).toBeVisible()
    await look('recipients offered')
    await page.keyboard.press('Enter')
    await page.locator('main form textarea').fill(MARKDOWN)
    await page.getByText(say.compose.markdown, { exact: true }).click()
    await expect(page.locator('aside blockquote')).toBeVisible()
    await look('draft with preview')
  },
}

const watch: Walk = {
  name: 'the watch',
  settings: { SESSION_IDLE: '40s' },
  async go({ page, server, say, look }) {
    await signIn(page, 'ann')
    await page.keyboard.press('l')
    await expect(page.locator('[name=password]')).toBeVisible()
    await look('locked')
    await prove(page, 'wrong')
    await expect(page.getByRole('alert')).not.toBeEmpty()
    await look('locked, wrong password')
    await prove(page, PASSWORD)
    await expect(page.getByRole('navigation').first()).toBeVisible()
    await (await server.signIn('ann')).call('delete', '/sessions')
    await expect(page.locator('[name=username]')).toBeVisible()
    await look('ended')
    await page.locator('[name=username]').fill('bob')
    await prove(page, PASSWORD)
    await expect(pill(page)).toContainText(say.connection.live)
    await look('another user')
    await expect(page.getByRole('alertdialog')).toBeVisible({ timeout: 30_000 })
    await look('about to lock')
    await page.keyboard.press('Enter')
    await server.stop()
    await expect(pill(page)).toHaveText(new RegExp(say.connection.stale.replace('{time}', '.*')))
    await look('not live')
    await page.context().setOffline(true)
    await expect(pill(page)).toContainText(say.connection.offline)
    await look('offline')
  },
}

/** A deploy's output: colours of each kind, a bar that is drawn over, lines that are too long. */
export const OUTPUT = [
  '\x1b[1m$ make deploy\x1b[0m',
  '\x1b[36m==>\x1b[0m building image \x1b[1mweb:4.12.0\x1b[0m',
  '\x1b[2m#1 [internal] load build definition from Dockerfile\x1b[0m',
  ...Array.from(
    { length: 30 },
    (_, n) => `\x1b[34m#${n + 2}\x1b[0m RUN step ${n + 2} \x1b[32mDONE\x1b[0m 0.${n}s`,
  ),
  'pulling layers   0 %\rpulling layers  50 %\rpulling layers \x1b[32m100 %\x1b[0m',
  '\x1b[33mwarning\x1b[0m: 2 dependencies are deprecated, see \x1b[4mhttps://example.com/notes\x1b[0m',
  `GET ${'/very/long/path'.repeat(12)} \x1b[38;5;208m302\x1b[0m \x1b[38;2;120;80;220m12 ms\x1b[0m`,
  '中文输出：部署完成 \x1b[3m100%\x1b[0m',
  '\x1b[41;97m FAIL \x1b[0m \x1b[7m tests/login.spec \x1b[0m \x1b[91mexpected 200, got 500\x1b[0m',
  '',
].join('\n')

const tasks: Walk = {
  name: 'the tasks',
  settings: {},
  async go({ page, server, say, look }) {
    const ann = await server.signIn('ann')
    await signIn(page, 'ann')
    await page.goto('/tasks')
    await expect(page.getByText(say.tasks.empty)).toBeVisible()
    await look('tasks, empty')
    for (const [state, code] of [
      ['succeeded', 0],
      ['canceled', 130],
      ['failed', 2],
    ] as const) {
      const task = await ann.beginTask(
        `Deploy web 4.12.0 to ${state === 'failed' ? 'production' : 'staging'}`,
        'ann',
      )
      await task.write(OUTPUT)
      await task.finish(state, code)
    }
    const running = await ann.beginTask('Nightly backup of '.repeat(9).trim(), 'ann')
    await running.write(OUTPUT)
    await expect(page.getByTestId('tasks').getByRole('link')).toHaveCount(4)
    await clearToasts(page)
    await look('tasks')
    await page.getByTestId('tasks').getByRole('link').first().click()
    await expect(page.getByTestId('log').getByText('FAIL')).toBeVisible()
    await look('task, running')
    await page.locator('main [data-search]').fill('step 1')
    await expect(page.getByTestId('hits')).toContainText('10')
    await look('task, search')
    await page.goto('/tasks')
    await page.getByTestId('tasks').getByRole('link').nth(1).click()
    await expect(page.getByText(say.tasks.exit.replace('{code}', '2'))).toBeVisible()
    await look('task, failed')
    await page.goto('/tasks/999999')
    await expect(page.getByText(say.tasks.goneLog)).toBeVisible()
    await look('task, gone')
  },
}

/** Every page and state there is, in an order in which one comes to them; none takes much longer than the others. */
export const walks: readonly Walk[] = [
  door,
  inbox,
  reading,
  finding,
  pages,
  administration,
  tasks,
  watch,
]
