import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { gzipSync } from 'node:zlib'
import type { Page } from '@playwright/test'
import ts from 'typescript'
import type { Session } from '@client'
import { test, type Example, installClient } from './example'
import { accessibleText, expect, expectAccessible, observe, PASSWORD, signIn } from './fixtures'
import { Server } from './server'

const bell = (page: Page) => page.getByRole('button', { name: /^Notifications/ })
const panel = (page: Page) => page.getByRole('dialog', { name: 'Notifications' })
const opener = (page: Page, title: string) => panel(page).locator('.open', { hasText: title })
const note = (page: Page) => page.getByLabel('Note')
const cover = (page: Page) => page.getByRole('dialog', { name: 'Locked' })

/** Signs bob in at Belfry, then comes to the example as a person would. */
async function visit(page: Page, example: Example): Promise<void> {
  await page.goto(example.belfry.url)
  await signIn(page, 'bob')
  await page.goto(example.url)
}

test('plain HTML: the bell by the cookie', async ({ page, start }) => {
  const example = await start('html')
  await visit(page, example)
  const ann = await example.belfry.signIn('ann')
  const url = `${example.url}/index.html#order`
  await expect(page.getByText('Stream: live')).toBeVisible()
  await ann.send('bob', 'Order 4711', {
    body: 'Packed.\nSent.',
    category: 'order',
    severity: 'success',
  })
  await ann.send('bob', 'Disk full', { severity: 'critical', url })
  await expect(page.getByText('Came: Disk full')).toBeVisible()
  await expect(bell(page)).toHaveAccessibleName('Notifications, 2 unread')

  await bell(page).focus()
  await page.keyboard.press('Enter')
  await expect(opener(page, 'Disk full')).toBeFocused()
  await expect(panel(page)).toContainText('Live')
  await expectAccessible(page)
  await page.keyboard.press('ArrowDown')
  await expect(opener(page, 'Order 4711')).toBeFocused()
  await page.keyboard.press('Enter')
  await expect(page.getByText('Opened here: Order 4711')).toBeVisible()
  await expect(bell(page)).toHaveAccessibleName('Notifications, 1 unread')
  await expect(panel(page)).toBeHidden()

  await bell(page).click()
  await expect(opener(page, 'Disk full')).toBeFocused()
  await page.keyboard.press('End')
  await page.keyboard.press('Tab')
  await page.keyboard.press('Tab')
  await page.keyboard.press('Enter') // Archive
  await expect(opener(page, 'Order 4711')).toHaveCount(0)
  await expect(opener(page, 'Disk full')).toBeFocused()
  const inbox = await (
    await example.belfry.signIn('bob')
  ).call<{ items: { title: string }[] }>('get', '/notices')
  expect(inbox.items.map(({ title }) => title)).toEqual(['Disk full'])

  await panel(page).getByRole('button', { name: 'Mark all read' }).click()
  await expect(bell(page)).toHaveAccessibleName('Notifications, nothing unread')
  await page.keyboard.press('Escape')
  await expect(panel(page)).toBeHidden()
  await expect(bell(page)).toBeFocused()
  await bell(page).click()
  await opener(page, 'Disk full').click()
  await expect(page).toHaveURL(url)
})

test('plain HTML: the lock covers the page and gives it back as it was', async ({
  page,
  start,
}) => {
  const example = await start('html')
  await visit(page, example)
  await expect(page.getByText('Stream: live')).toBeVisible()
  await note(page).fill('half a sentence')
  const other = await example.belfry.signIn('bob')
  const { items } = await other.call<{ items: Session[] }>('get', '/sessions')
  const id = items.find(({ current }) => !current)?.id
  await other.call('post', `/sessions/${id}/lock`)

  await expect(cover(page)).toBeVisible()
  await expect(page.getByLabel('Password of Bob Ng')).toBeFocused()
  expect(await accessibleText(page)).not.toContain('half a sentence')
  await expect(note(page)).toBeHidden()
  await expectAccessible(page)
  await page.keyboard.press('Escape')
  await page.keyboard.press('Escape')
  await expect(cover(page)).toBeVisible()
  // The page may open what it likes: it stays beneath.
  await page.evaluate(() => {
    const dialog = document.createElement('dialog')
    dialog.textContent = 'A dialog of the page'
    document.body.append(dialog)
    dialog.showModal()
  })
  await expect(page.getByText('A dialog of the page')).toBeHidden()

  await page.getByLabel('Password of Bob Ng').fill('wrong')
  await page.keyboard.press('Enter')
  await expect(page.getByText('Wrong password. 4 tries are left.')).toBeVisible()
  await page.getByLabel('Password of Bob Ng').fill(PASSWORD)
  await page.keyboard.press('Enter')
  await expect(cover(page)).toBeHidden()
  await page.evaluate(() => document.querySelector('dialog')?.remove())
  await expect(note(page)).toHaveValue('half a sentence')
})

for (const name of ['vue', 'react']) {
  test(`${name}: both elements among its own`, async ({ page, start }) => {
    const example = await start(name)
    await visit(page, example)
    await note(page).fill('twelve signs')
    await expect(bell(page)).toHaveAccessibleName('Notifications, nothing unread')
    await (await example.belfry.signIn('ann')).send('bob', 'From the server')
    await expect(page.getByText('Came: From the server')).toBeVisible()
    await expect(bell(page)).toHaveAccessibleName('Notifications, 1 unread')
    await page.evaluate(() => document.querySelector('belfry-lock')?.lock())
    await page.getByLabel('Password of Bob Ng').fill(PASSWORD)
    await page.keyboard.press('Enter')
    await expect(cover(page)).toBeHidden()
    await expect(page.getByText('12 characters')).toBeVisible()
    await expect(note(page)).toHaveValue('twelve signs')
  })
}

test('another site: by tickets that its server mints', async ({ page, start }) => {
  const example = await start('ticket', { TICKET_TTL: '1s' }, '127.0.0.1')
  const ann = await example.belfry.signIn('ann')
  await ann.send('bob', 'Earlier')
  await page.goto(example.url)
  await expect(bell(page)).toHaveAccessibleName('Notifications, 1 unread')
  const id = await ann.send('bob', 'Now', { severity: 'warning' })
  await expect(bell(page)).toHaveAccessibleName('Notifications, 2 unread')
  await bell(page).click()
  await expect(opener(page, 'Now')).toBeVisible()
  await expect(opener(page, 'Earlier')).toHaveCount(0)
  // Read on another device.
  await (await example.belfry.signIn('bob')).call('patch', `/notices/${id}`, { read: true })
  await expect(bell(page)).toHaveAccessibleName('Notifications, 1 unread')

  await page.goto(`${example.url}/stream.html`)
  await expect(page.getByText('Unread: 1')).toBeVisible()
  await ann.send('bob', 'To the stream')
  await expect(page.getByText('Came: To the stream')).toBeVisible()
  await page.evaluate(() => fetch('/sign-out', { method: 'POST' }))
  await example.belfry.stop()
  await example.belfry.start()
  await expect(page.getByText('Stream: ended')).toBeVisible()
})

test('the package is small, and its types resolve', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'belfry-package-'))
  const installed = installClient(dir)
  const size = (entry: string) => {
    return files(join(installed, 'dist', entry)).reduce(
      (sum, text) => sum + gzipSync(text, { level: 9 }).length,
      0,
    )
  }
  expect(size('index.js')).toBeLessThan(12_000)
  expect(size('elements.js')).toBeLessThan(30_000)
  writeFileSync(
    join(dir, 'page.ts'),
    `import { Api, Problem, SharedStream, ticketFrom, type Notice } from '@belfry/client'
     import { AdminApi } from '@belfry/client/admin'
     import type { BelfryBell } from '@belfry/client/elements'
     import { TaskApi, TaskStream } from '@belfry/client/tasks'
     const stream = new SharedStream({ baseUrl: 'https://belfry.example', ticket: ticketFrom('/t') })
     stream.on('notice', ({ data }) => { const title: string = data.title; void title })
     // @ts-expect-error no such event
     stream.on('notices', () => undefined)
     // @ts-expect-error one of the two
     new SharedStream({})
     export const all: () => Promise<Notice[]> = async () => (await new Api().notices()).items
     export const log = (api: Api) => [new TaskApi(api), new AdminApi(api), new TaskStream(7, { session: () => api.session() })]
     export const bell: BelfryBell | null = document.querySelector('belfry-bell')
     export const isLocked = (e: unknown) => e instanceof Problem && e.code === 'locked'`,
  )
  // The strictest there is; a bundler finds whatever this one does.
  const program = ts.createProgram([join(dir, 'page.ts')], {
    ...{ module: ts.ModuleKind.NodeNext, moduleResolution: ts.ModuleResolutionKind.NodeNext },
    ...{ target: ts.ScriptTarget.ES2022, lib: ['lib.es2023.d.ts', 'lib.dom.d.ts'], types: [] },
    ...{ strict: true, noEmit: true, skipDefaultLibCheck: true },
  })
  const found = ts.getPreEmitDiagnostics(program).map(({ messageText }) => messageText)
  expect(found).toEqual([])
  // A server that renders the page loads what the page does.
  const entries = ['', '/admin', '/elements', '/passkey', '/tasks'].map(
    (name) => `@belfry/client${name}`,
  )
  const imports = entries.map((name) => `await import('${name}')`).join('\n')
  execFileSync(process.execPath, ['--input-type=module', '--eval', imports], { cwd: dir })
  rmSync(dir, { recursive: true })
})

/** A file of the package and all that it loads. */
function files(entry: string): string[] {
  const code: string[] = []
  const seen = new Set<string>()
  const load = (file: string) => {
    if (seen.has(file)) return
    seen.add(file)
    const text = readFileSync(file, 'utf8')
    code.push(text)
    for (const [, path] of text.matchAll(/^(?:import|export)\b[^;]*?"(\.[^"]+)"/gm))
      load(join(dirname(file), path!))
    // Nothing is left for the page to install.
    expect(text).not.toMatch(/^(?:import|export)\b[^;]*?\bfrom\s*"[^."]/m)
  }
  load(entry)
  return code
}

test('one script from the server, and a page that is shown to nobody unknown', async ({ page }) => {
  let body = ''
  const host = createServer((_, response) =>
    response.setHeader('Content-Type', 'text/html').end(body),
  )
  await new Promise<void>((listening) => host.listen(0, '127.0.0.1', listening))
  const url = `http://localhost:${(host.address() as AddressInfo).port}/`
  const belfry = await Server.create({ CORS_ORIGINS: url.slice(0, -1), SESSION_IDLE: '8s' })
  body = `<!doctype html><html lang="zh-CN"><title>Host</title><link rel="icon" href="data:,">
    <style>:root:has(belfry-lock[strict]:not(:defined)) body { visibility: hidden }</style>
    <script type="module" src="${belfry.url}/belfry.js"></script>
    <main><h1>Secret order</h1></main>
    <belfry-lock src="${belfry.url}" strict lang="en"></belfry-lock>`
  let letGo = () => {}
  const held = new Promise<void>((resolve) => (letGo = resolve))
  await page.route('**/belfry.js', async (route) => {
    await held
    await route.continue()
  })
  const secret = page.getByRole('heading', { name: 'Secret order' })
  const dialog = page.getByRole('dialog')

  await page.goto(url, { waitUntil: 'commit' })
  await expect(page.locator('main')).toBeAttached()
  await expect(page.locator('main')).toBeHidden()
  letGo()
  await expect(dialog).toContainText('This page is shown once you have signed in.')
  await expect(secret).toBeHidden()

  const other = await page.context().newPage()
  await other.addInitScript(observe)
  await other.goto(belfry.url)
  await signIn(other, 'bob')
  await other.close()
  await page.evaluate(() => window.dispatchEvent(new Event('focus')))
  await expect(secret).toBeVisible()

  const stay = page.getByRole('button', { name: 'Stay signed in' })
  await expect(
    page.getByRole('alertdialog', { name: 'Your session is about to lock' }),
  ).toBeVisible()
  await stay.click()
  await expect(stay).toBeHidden()
  await expect(secret).toBeVisible()

  // Without its server it may not be shown for longer than the session was known to last.
  await belfry.stop()
  await expect(dialog).toContainText('The server cannot be reached')
  await expect(secret).toBeHidden()
  await belfry.start()
  await page.getByLabel('Password of Bob Ng').fill(PASSWORD)
  await page.keyboard.press('Enter')
  await expect(secret).toBeVisible()
  host.close()
  await belfry.remove()
})
