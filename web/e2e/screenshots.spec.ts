import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Page } from '@playwright/test'
import { Authenticator } from './authenticator'
import { expect, PASSWORD, row, test, toast, visitAs } from './fixtures'
import { OUTPUT } from './states'

const images = join(import.meta.dirname, '../../docs/images')

const ENGLISH = {
  opened: 'Disk at 91 %',
  arriving: { title: 'Lunch at 12:30?', body: 'The place round the corner' },
  notices: [
    { title: 'Welcome to Belfry', body: 'Messages ring here at once.' },
    { title: 'Nightly backup finished', severity: 'success', body: '14.2 GB in 6 minutes' },
    { title: 'Contract signed', severity: 'success', body: 'Hartmann & Co. took the offer.' },
    { title: 'Certificate expires in 7 days', severity: 'warning', body: 'api.example.com' },
    { title: 'Deploy finished', body: 'web 4.12.0 runs on all nodes', url: '/status' },
    {
      title: 'Disk at 91 %',
      severity: 'warning',
      category: 'storage',
      url: 'https://grafana.example.com/d/disk',
      body: 'db-1, /var\nGrew by 4 % in the last hour.\n\nLargest: the archive of the write-ahead log.',
    },
  ],
}

const CHINESE: typeof ENGLISH = {
  opened: '磁盘已用 91%',
  arriving: { title: '中午 12:30 一起吃饭？', body: '街角新开的那家' },
  notices: [
    { title: '欢迎使用 Belfry', body: '消息一到，立刻出现在这里。' },
    { title: '夜间备份完成', severity: 'success', body: '14.2 GB，用时 6 分钟' },
    { title: '合同已签署', severity: 'success', body: '对方接受了报价。' },
    { title: '证书将在 7 天后到期', severity: 'warning', body: 'api.example.com' },
    { title: '部署完成', body: 'web 4.12.0 已在所有节点上运行', url: '/status' },
    {
      title: '磁盘已用 91%',
      severity: 'warning',
      category: '存储',
      url: 'https://grafana.example.com/d/disk',
      body: 'db-1，/var\n过去一小时增加了 4%。\n\n占用最多的是预写日志的归档。',
    },
  ],
}

const DESK = { viewport: { width: 1280, height: 800 } }
const PHONE = { viewport: { width: 390, height: 844 }, deviceScaleFactor: 2 }

const pictures = [
  { name: 'inbox-light', options: { ...DESK, colorScheme: 'light' }, text: ENGLISH },
  { name: 'inbox-dark', options: { ...DESK, colorScheme: 'dark' }, text: ENGLISH },
  { name: 'inbox-zh-CN', options: { ...DESK, locale: 'zh-CN' }, text: CHINESE },
  { name: 'inbox-phone', options: PHONE, text: ENGLISH },
] as const

/** Draws the pictures of the README: SCREENSHOTS=1 npm run e2e -- screenshots */
function draw({ name, options, text }: (typeof pictures)[number]): void {
  test(`picture: ${name}`, async ({ browser, server }) => {
    mkdirSync(images, { recursive: true })
    const device = await server.signIn('bob')
    for (const { title, ...more } of text.notices) await device.send('ann', title, more)
    const page = await visitAs(browser, server, 'ann', options)
    await expect(row(page, text.opened)).toBeVisible()
    if (name !== 'inbox-phone') {
      await row(page, text.opened).click()
      await expect(page.getByTestId('detail').getByText('db-1')).toBeVisible()
      await device.send('ann', text.arriving.title, { body: text.arriving.body })
      await expect(toast(page)).toBeVisible()
      await page.mouse.move(700, 700)
    }
    await take(page, name)
  })
}

/** Waits until nothing moves any more, and draws. */
async function take(page: Page, name: string): Promise<void> {
  await page.evaluate(() => Promise.all(document.getAnimations().map(({ finished }) => finished)))
  await page.screenshot({ path: join(images, `${name}.png`) })
}

/** What guards a session: its lock, its warning, its devices, its factors, its record. */
function drawSecurity(): void {
  test.describe('security', () => {
    test.use({ settings: { SESSION_IDLE: '2m' } })

    test('pictures: lock, devices, settings, audit', async ({ browser, server }) => {
      const others = [
        'Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) Version/18.1 Safari/605.1',
        'Mozilla/5.0 (Windows NT 10.0; Win64; x64) Firefox/133.0',
      ]
      for (const userAgent of others) await visitAs(browser, server, 'ann', { userAgent })
      await server.signIn('bob', 'not the password').catch(() => null)
      await (await server.signIn('bob')).call('post', '/session/lock')
      const page = await visitAs(browser, server, 'ann', { ...DESK, colorScheme: 'light' })
      await Authenticator.plugInto(page)
      await page.goto('/devices')
      await expect(page.getByRole('main').getByRole('listitem')).toHaveCount(3)
      await page.getByRole('button', { name: 'Lock Safari on iOS' }).click()
      await expect(page.getByRole('button', { name: 'Lock Safari on iOS' })).toHaveCount(0)
      await page.mouse.move(900, 700)
      await take(page, 'devices')

      await page.setViewportSize({ width: 1280, height: 1120 })
      await page.goto('/settings')
      await page.getByRole('button', { name: 'Add a passkey' }).click()
      await page.getByLabel('Name', { exact: true }).fill('Laptop of Ann')
      await page.keyboard.press('Enter')
      await expect(page.getByRole('listitem').filter({ hasText: 'Laptop of Ann' })).toBeVisible()
      await page.getByRole('button', { name: 'Set up' }).click()
      await expect(page.locator('svg[role=img] path')).toBeVisible()
      await expect(page.getByRole('status').filter({ hasText: 'Passkey added' })).toHaveCount(0, {
        timeout: 12_000,
      })
      await page.getByRole('link', { name: 'Security', exact: true }).click()
      await take(page, 'security-settings')

      await page.setViewportSize(DESK.viewport)
      await page.goto('/admin/audit')
      await expect(page.getByTestId('audit')).toBeVisible()
      await take(page, 'audit')
      await page.keyboard.press('l')
      await expect(page.getByRole('button', { name: 'Unlock with a passkey' })).toBeVisible()
      await take(page, 'lock')
      await page.emulateMedia({ colorScheme: 'dark' })
      await take(page, 'lock-dark')
    })

    test('picture: warning', async ({ browser, server }) => {
      test.slow()
      const device = await server.signIn('bob')
      for (const { title, ...more } of ENGLISH.notices) await device.send('ann', title, more)
      const page = await visitAs(browser, server, 'ann', { ...DESK, colorScheme: 'light' })
      await row(page, ENGLISH.opened).click()
      await expect(page.getByRole('alertdialog')).toBeVisible({ timeout: 90_000 })
      await take(page, 'warning')
    })
  })
}

/** What one writes, what one has sent, and how one is told. */
function drawWriting(): void {
  test('pictures: compose, sent, settings', async ({ browser, server }) => {
    for (const { title, ...more } of ENGLISH.notices) {
      await (await server.signIn('ann')).send('bob', title, more)
    }
    const bob = await visitAs(browser, server, 'bob')
    await row(bob, ENGLISH.opened).click()
    await expect(bob.getByTestId('detail').getByText('db-1')).toBeVisible()

    const page = await visitAs(browser, server, 'ann', { ...DESK, colorScheme: 'light' })
    await page.goto('/compose')
    await page.getByRole('button', { name: 'Everyone' }).click()
    await page.getByLabel('Title').fill('Release 4.12')
    await page
      .getByLabel('Text')
      .fill(
        'Two things to **know**:\n\n- the *old* address goes on Friday\n- `migrate` runs by itself',
      )
    await page.getByLabel('Markdown').check()
    await page.getByRole('radio', { name: 'Success' }).check({ force: true })
    await page.getByLabel('Link').fill('https://example.com/notes')
    await expect(page.getByRole('complementary').getByText('know', { exact: true })).toBeVisible()
    await take(page, 'compose')
    await page.getByLabel('Text').press('Control+Enter')
    await expect(page.getByLabel('Title')).toHaveValue('')

    await page.getByRole('link', { name: 'Sent', exact: true }).click()
    await expect(page.getByTestId('sent').getByText('Release 4.12')).toBeVisible()
    await expect(page.getByRole('status').filter({ hasText: 'Sent.' })).toHaveCount(0, {
      timeout: 12_000,
    })
    await take(page, 'sent')

    await page.goto('/settings')
    await expect(page.getByText('Quiet hours').first()).toBeVisible()
    await take(page, 'settings')
  })
}

/** How long the charts are left to fill. */
const CHARTS_MS = 45_000

/** The log of a task as it runs, and what an administrator sees of a server at work. */
function drawWork(): void {
  test('picture: task', async ({ browser, server }) => {
    const task = await (await server.signIn('ann')).beginTask('Deploy web 4.12.0', 'ann')
    const page = await visitAs(browser, server, 'ann', { ...DESK, colorScheme: 'light' })
    await page.goto('/tasks')
    await page.getByRole('link', { name: 'Deploy web 4.12.0' }).click()
    await task.write(OUTPUT)
    await expect(page.locator('[data-row]').nth(3)).toBeVisible()
    await take(page, 'task')
  })

  test('picture: overview', async ({ browser, server }) => {
    test.setTimeout(4 * CHARTS_MS)
    const page = await visitAs(browser, server, 'ann', {
      viewport: { width: 1280, height: 1120 },
      colorScheme: 'light',
    })
    for (let device = 0; device < 4; device++) await visitAs(browser, server, 'bob')
    const bob = await server.signIn('bob')
    await page.goto('/admin/overview')
    const until = Date.now() + CHARTS_MS
    for (let n = 1; Date.now() < until; n++) {
      await bob.send('bob', `Letter ${n}`)
      await page.waitForTimeout(40 + 120 * Math.abs(Math.sin(n / 60)))
    }
    await take(page, 'overview')
  })
}

/** Whom an administrator sees signed in, and what keys there are. */
function drawPeople(): void {
  const devices = [
    ['bob', 'Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) Version/18.1 Safari/605.1'],
    ['bob', 'Mozilla/5.0 (Windows NT 10.0; Win64; x64) Firefox/133.0'],
    ['cleo', 'Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) Version/18.1 Safari/605.1'],
    ['ann', 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0'],
  ] as const
  const keys = [
    { name: 'monitoring', scopes: ['notices:write'], rate: '600/m' },
    { name: 'deployments', scopes: ['notices:write', 'tasks:write'] },
    { name: 'directory', scopes: ['users:write', 'sessions:write'] },
    { name: 'intranet', scopes: ['tickets:write'] },
  ]

  test('pictures: sessions, keys', async ({ browser, server }) => {
    const ann = await server.signIn('ann')
    const cleo = { username: 'cleo', display_name: 'Cleo Marsh', password: PASSWORD }
    await ann.call('post', '/users', cleo)
    for (const [name, userAgent] of devices) await visitAs(browser, server, name, { userAgent })
    await (await server.signIn('cleo')).call('post', '/session/lock')
    for (const key of keys) await ann.call('post', '/keys', key)
    const page = await visitAs(browser, server, 'ann', { ...DESK, colorScheme: 'light' })
    for (const name of ['sessions', 'keys']) {
      await page.goto(`/admin/${name}`)
      await expect(page.getByTestId(name)).toBeVisible()
      await take(page, name)
    }
  })
}

if (process.env.SCREENSHOTS === '1') {
  pictures.forEach(draw)
  drawWriting()
  drawSecurity()
  drawWork()
  drawPeople()
}
