import { spawn, type ChildProcess } from 'node:child_process'
import { createHmac } from 'node:crypto'
import { closeSync, existsSync, openSync, readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import type { Page } from '@playwright/test'
import { PASSWORD, expect, lockField, pill, test, unlock, visit, visitAs } from './fixtures'
import type { Server } from './server'
import { stored } from './traps-page'

const binary = resolve(process.env.BELFRY_BIN ?? join(import.meta.dirname, '../../bin/belfry'))

/** The code of an authenticator app for a secret, now (RFC 6238). */
function totp(secret: string): string {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'
  const bits = [...secret].map((letter) => alphabet.indexOf(letter).toString(2).padStart(5, '0'))
  const bytes = bits.join('').match(/.{8}/g) ?? []
  const key = Buffer.from(bytes.map((byte) => parseInt(byte, 2)))
  const step = Buffer.alloc(8)
  step.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 30_000)))
  const digest = createHmac('sha1', key).update(step).digest()
  const at = (digest.at(-1) ?? 0) & 15
  return String((digest.readUInt32BE(at) & 0x7fffffff) % 1_000_000).padStart(6, '0')
}

/** Starts the server of a test anew, at its noisiest, with all that it says in a file. */
async function noisy(server: Server, file: string): Promise<ChildProcess> {
  await server.stop('SIGTERM')
  const log = openSync(file, 'a')
  const env = { ...server['env'], BELFRY_LOG_LEVEL: 'debug' }
  const child = spawn(binary, ['serve'], { env, stdio: ['ignore', log, log] })
  closeSync(log)
  await expect
    .poll(() =>
      fetch(`${server['direct']}/readyz`).then(
        ({ status }) => status,
        () => 0,
      ),
    )
    .toBe(200)
  return child
}

async function ended(child: ChildProcess): Promise<void> {
  const over = new Promise((done) => child.once('exit', done))
  child.kill('SIGTERM')
  await over
}

/** Calls the interface as a page does, and gives status and answer. */
function call(page: Page, method: string, path: string, body?: object, headers = {}) {
  return page.evaluate(
    async ([verb, at, content, more]) => {
      const answer = await fetch(at, {
        method: verb,
        headers: { ...(content ? { 'Content-Type': 'application/json' } : {}), ...more },
        ...(content ? { body: content } : {}),
      })
      const text = await answer.text()
      return { status: answer.status, text }
    },
    [method, path, body ? JSON.stringify(body) : '', headers] as const,
  )
}

/** What was said in secret, by what it is. */
class Spoken {
  readonly secrets = new Map<string, string>()

  add(what: string, secret: string): string {
    expect(secret.length, what).toBeGreaterThan(5)
    this.secrets.set(secret, what)
    return secret
  }

  async cookieOf(page: Page, when: string): Promise<string> {
    const [cookie] = await page.context().cookies()
    return this.add(`the cookie ${when}`, cookie?.value ?? '')
  }

  /** What lies in a text, in any form that it could be written in. */
  foundIn(text: string): string[] {
    return [...this.secrets]
      .filter(([secret]) => forms(secret).some((form) => text.includes(form)))
      .map(([, what]) => what)
  }
}

function forms(secret: string): string[] {
  const bytes = Buffer.from(secret)
  // Of base64 without the last letters, which depend on what would follow.
  const coded = (['base64', 'base64url'] as const).map((form) =>
    bytes.toString(form).replace(/=+$/, '').slice(0, -1),
  )
  return [secret, encodeURIComponent(secret), bytes.toString('hex'), ...coded]
}

test.use({ settings: { SECRET: 'canary-of-the-installation-0123456789', LOGIN_RATE: '100/m' } })

// Security: S15, S17, S33, S36
test('no secret that was used lies in a log, the database or the browser', async ({
  browser,
  server,
}) => {
  test.slow()
  const log = join(server['dir'], 'server.log')
  let running = await noisy(server, log)
  const spoken = new Spoken()
  spoken.add("the installation's secret", 'canary-of-the-installation-0123456789')
  spoken.add('the common password', PASSWORD)

  await test.step('sign in, lock, unlock, each wrong and right', async () => {
    const page = await visit(browser, server)
    await page.locator('[name=username]').fill('bob')
    await page.locator('[name=password]').fill(spoken.add('a wrong password', 'Canary-wrong-1'))
    await page.keyboard.press('Enter')
    await expect(page.getByRole('alert')).toBeVisible()
    await page.locator('[name=username]').fill(spoken.add('one as a name', 'Canary-name-2'))
    await page.locator('[name=password]').fill(PASSWORD)
    await page.keyboard.press('Enter')
    await expect(page.getByRole('alert')).toBeVisible()
  })

  const bob = await visitAs(browser, server, 'bob')
  await spoken.cookieOf(bob, 'of a sign-in')
  await bob.keyboard.press('l')
  await unlock(bob, spoken.add('a wrong one at the lock', 'Canary-unlock-3'))
  await expect(bob.getByRole('alert')).toBeVisible()
  await expect(lockField(bob)).toHaveValue('')
  await unlock(bob)
  await expect(lockField(bob)).toHaveCount(0)
  const cookie = await spoken.cookieOf(bob, 'of an unlock')

  await test.step('tickets and keys, also where they do not belong', async () => {
    const ticket = await call(bob, 'POST', '/api/v1/stream-tickets')
    const token = spoken.add('a ticket', (JSON.parse(ticket.text) as { token: string }).token)
    const ann = await visitAs(browser, server, 'ann')
    await spoken.cookieOf(ann, 'of an administrator')
    const made = await call(ann, 'POST', '/api/v1/keys', { name: 'k', scopes: ['notices:write'] })
    const key = spoken.add('a key', (JSON.parse(made.text) as { key: string }).key)
    await bob.evaluate(
      (at) =>
        new Promise((opened) => new EventSource(at).addEventListener('hello', () => opened(0))),
      `/sse/stream?token=${token}`,
    )
    for (const wrong of [cookie, key, token]) {
      for (const name of ['token', 'access_token', 'key', 'api_key'])
        expect((await call(bob, 'GET', `/api/v1/session?${name}=${wrong}`)).status).toBe(401)
      if (wrong !== token)
        expect((await call(bob, 'GET', `/sse/stream?token=${wrong}`)).status).toBe(401)
      const bearer = { Authorization: `Bearer ${wrong}` }
      await call(bob, 'POST', '/api/v1/notices', { to: { users: ['bob'] }, title: 'x' }, bearer)
    }
    const link = await call(ann, 'POST', '/api/v1/users/bob/reset-link')
    const { url } = JSON.parse(link.text) as { url: string }
    spoken.add('the token of a link', url.split('#')[1] ?? '')
    const visitor = await visit(browser, server)
    await visitor.goto(url)
    await expect.poll(() => visitor.evaluate(() => location.hash)).toBe('')
    const body = { username: 'bob', password: spoken.add('one of a new person', 'Canary-taken-4') }
    expect((await call(ann, 'POST', '/api/v1/users', body)).status).toBe(409)
  })

  await test.step('an authenticator, its codes, and a password that is changed', async () => {
    const answer = await call(bob, 'POST', '/api/v1/totp')
    const { secret } = JSON.parse(answer.text) as { secret: string }
    spoken.add("the authenticator's secret", secret)
    const confirmed = await call(bob, 'POST', '/api/v1/totp/confirm', { code: totp(secret) })
    const { recovery_codes: codes } = JSON.parse(confirmed.text) as { recovery_codes: string[] }
    for (const code of codes) {
      spoken.add('a recovery code', code)
      spoken.add('a recovery code without dashes', code.replaceAll('-', ''))
    }
    const stranger = await visit(browser, server)
    const login = { username: 'bob', password: PASSWORD }
    expect((await call(stranger, 'POST', '/api/v1/login', login)).status).toBe(401)
    const wrong = { ...login, code: spoken.add('a wrong code', 'CANARY-WRONG-CODE-5') }
    expect((await call(stranger, 'POST', '/api/v1/login', wrong)).status).toBe(401)
    const right = { ...login, code: codes[0] }
    expect((await call(stranger, 'POST', '/api/v1/login', right)).status).toBe(200)
    await spoken.cookieOf(stranger, 'by a recovery code')
    const next = spoken.add('a new password', 'Canary-changed-6')
    const changed = await call(bob, 'POST', '/api/v1/password', { current: PASSWORD, new: next })
    expect(changed.status).toBe(204)
    await spoken.cookieOf(bob, 'after a new password')
    await call(bob, 'POST', '/api/v1/password', `{"current":"${next}","new":` as unknown as object)
  })

  await test.step('a node that is away while streams and tickets come back', async () => {
    await ended(running)
    await expect(pill(bob)).not.toContainText('Live')
    const token = [...spoken.secrets].find(([, what]) => what === 'a ticket')?.[0]
    await call(bob, 'GET', `/sse/stream?token=${token}`).catch(() => null)
    await call(bob, 'GET', `/api/v1/session?token=${token}`).catch(() => null)
    running = await noisy(server, log)
    await expect(pill(bob)).toContainText('Live')
  })

  // A page of another test may not be gone yet.
  const pages = browser
    .contexts()
    .flatMap((context) => context.pages())
    .filter((page) => page.url().startsWith(server.url))
  expect(pages.length).toBe(5)
  for (const page of pages) expect(spoken.foundIn(await stored(page)), 'in the browser').toEqual([])
  await ended(running)
  expect(spoken.secrets.size).toBeGreaterThan(30)
  const places = [
    log,
    ...readdirSync(join(server['dir'], 'data')).map((name) => join(server['dir'], 'data', name)),
  ]
  const nginx = server['nginx']
  const access = join(server['dir'], 'nginx', 'access.log')
  if (nginx) places.push(access)
  for (const place of places.filter(existsSync))
    expect(spoken.foundIn(readFileSync(place, 'latin1')), place).toEqual([])
  expect(spoken.foundIn(nginx?.['running']?.['output'] ?? ''), 'the error log').toEqual([])

  // That nothing was found means something only where there was something to find.
  expect(readFileSync(log, 'utf8')).toContain('/api/v1/login')
  expect(readFileSync(join(server['dir'], 'data', 'belfry.db'), 'latin1')).toContain('Ann Keller')
  if (nginx) expect(readFileSync(access, 'utf8')).toContain('/sse/stream')
})
