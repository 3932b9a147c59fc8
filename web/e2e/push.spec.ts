import { createECDH, randomBytes } from 'node:crypto'
import type { BrowserContext, CDPSession, Page, Worker } from '@playwright/test'
import { expect, lockField, row, test, unlock, visitAs } from './fixtures'

// Elsewhere workers are kept out: Playwright cannot hold up what passes them.
test.use({ serviceWorkers: 'allow' })

interface Shown {
  title: string
  body: string
  tag: string
}

/** What this needs of a worker; its own types do not go together with those of a page. */
interface WorkerScope {
  registration: ServiceWorkerRegistration
  NotificationEvent: new (type: string, init: { notification: Notification }) => Event
  ExtendableEvent: new (type: string) => Event
  fetch: typeof fetch
}

interface Recording {
  putUp: string[]
}

/** Has the titles of all that a page or a worker puts up kept, once each is there. */
function record(): void {
  const { prototype } = ServiceWorkerRegistration
  const show = prototype.showNotification
  const putUp: string[] = []
  Object.assign(self, { putUp })
  prototype.showNotification = async function (title, options) {
    await show.call(this, title, options)
    putUp.push(title)
  }
}

/** The worker of a context, and the browser's own way of delivering what is pushed. */
class Pushed {
  private readonly page: Page
  private readonly worker: Worker
  private readonly client: CDPSession
  private readonly where: { origin: string; registrationId: string }

  private constructor(page: Page, worker: Worker, client: CDPSession, where: Pushed['where']) {
    this.page = page
    this.worker = worker
    this.client = client
    this.where = where
  }

  static async to(page: Page, context: BrowserContext): Promise<Pushed> {
    const worker = context.serviceWorkers()[0] ?? (await context.waitForEvent('serviceworker'))
    await page.waitForFunction(async () => (await navigator.serviceWorker.ready).active !== null)
    // Of a page that is none of ours, so that ours can be closed.
    const client = await context.newCDPSession(await context.newPage())
    const registered = new Promise<string>((resolve) => {
      client.on('ServiceWorker.workerRegistrationUpdated', ({ registrations }) => {
        const [first] = registrations
        if (first) resolve(first.registrationId)
      })
    })
    await client.send('ServiceWorker.enable')
    const registrationId = await registered
    await Promise.all([worker.evaluate(record), page.evaluate(record)])
    return new Pushed(page, worker, client, { origin: new URL(page.url()).origin, registrationId })
  }

  async deliver(message: object): Promise<void> {
    const data = JSON.stringify(message)
    await this.client.send('ServiceWorker.deliverPushMessage', { ...this.where, data })
  }

  /** What is there once so many were put up: a browser that is asked meanwhile forgets that it put one up. */
  async shownAfter(count: number): Promise<Shown[]> {
    const read = () => (self as unknown as Recording).putUp.length
    const inPage = async () => (this.page.isClosed() ? 0 : await this.page.evaluate(read))
    await expect.poll(async () => (await this.worker.evaluate(read)) + (await inPage())).toBe(count)
    return this.shown()
  }

  shown(): Promise<Shown[]> {
    return this.worker.evaluate(async () => {
      const { registration } = self as unknown as WorkerScope
      const all = await registration.getNotifications()
      return all.map(({ title, body, tag }) => ({ title, body, tag }))
    })
  }

  /** As a person clicks, but without the right to open windows that goes with it. */
  async click(tag: string): Promise<void> {
    await this.worker.evaluate(async (tag) => {
      const { registration, NotificationEvent } = self as unknown as WorkerScope
      const [notification] = await registration.getNotifications({ tag })
      self.dispatchEvent(
        new NotificationEvent('notificationclick', { notification: notification! }),
      )
    }, tag)
  }

  /** As a browser does whose push service has moved it. @returns what the server said to it */
  renew(subscription: PushSubscriptionJSON): Promise<number> {
    return this.worker.evaluate(async (subscription) => {
      const scope = self as unknown as WorkerScope
      const real = scope.fetch
      const answered = new Promise<number>((resolve) => {
        scope.fetch = async (...request) => {
          const response = await real(...request)
          resolve(response.status)
          return response
        }
      })
      const event = new scope.ExtendableEvent('pushsubscriptionchange')
      const newSubscription = { toJSON: () => subscription }
      self.dispatchEvent(Object.assign(event, { newSubscription }))
      return answered.finally(() => (scope.fetch = real))
    }, subscription)
  }
}

const notice = { type: 'notice', id: 7, title: 'Disk full', body: 'db-1', severity: 'warning' }

// Security: S46
test('a closed page is told, in its reader’s language, and no more than the push says', async ({
  browser,
  server,
}) => {
  const bob = await visitAs(browser, server, 'bob', { locale: 'zh-CN' })
  const pushed = await Pushed.to(bob, bob.context())
  await pushed.deliver({ ...notice, unread: 2 })
  await pushed.deliver({ type: 'waiting' })
  // Whoever looks at the page is told by the page.
  expect(await pushed.shown()).toEqual([])

  await bob.close()
  await pushed.deliver({ ...notice, unread: 2 })
  expect(await pushed.shownAfter(1)).toEqual([
    { title: 'Disk full', body: 'db-1', tag: 'belfry-7' },
  ])
  await pushed.deliver({ type: 'waiting' })
  expect(await pushed.shownAfter(2)).toContainEqual({
    title: '有新内容等你查看',
    body: '',
    tag: 'belfry-waiting',
  })
  // A second one takes the place of the first.
  await pushed.deliver({ type: 'waiting' })
  await pushed.deliver({ ...notice, title: 'Disk fuller', unread: 2 })
  const shown = await pushed.shownAfter(4)
  expect(shown.map(({ title }) => title)).toContain('Disk fuller')
  expect(shown).toHaveLength(2)
})

test('a page’s pop-up is the worker’s: a click opens the notice, reading and locking close it', async ({
  browser,
  server,
}) => {
  const bob = await visitAs(browser, server, 'bob')
  const pushed = await Pushed.to(bob, bob.context())
  const ann = await server.signIn('ann')
  const [first, second] = [await ann.send('bob', 'First'), await ann.send('bob', 'Second')]
  const titles = async () => (await pushed.shown()).map(({ title }) => title).sort()
  await pushed.shownAfter(2)
  expect(await titles()).toEqual(['First', 'Second'])
  const icon = () => bob.locator('link[rel="icon"]').getAttribute('href')
  await expect.poll(icon).toMatch(/^data:image\/png/)

  await pushed.click(`belfry-${first}`)
  await expect(bob).toHaveURL(new RegExp(`/inbox/${first}$`))
  await expect(bob.getByTestId('detail')).toContainText('First')
  await expect.poll(titles).toEqual(['Second'])

  const device = await server.signIn('bob')
  await device.call('patch', `/notices/${second}`, { read: true })
  await expect.poll(titles).toEqual([])

  await ann.send('bob', 'Third')
  await pushed.shownAfter(3)
  expect(await titles()).toEqual(['Third'])
  await bob.keyboard.press('l')
  await expect(lockField(bob)).toBeVisible()
  await expect.poll(titles).toEqual([])
  expect(await icon()).toMatch(/\/icons\/icon\.svg$/)
  // What came while it was locked is not popped up by the page, and the push says only this.
  await pushed.deliver({ type: 'waiting' })
  await unlock(bob)
  await expect(row(bob, 'Third')).toBeVisible()
  await expect.poll(titles).toEqual([])
})

test('without a server there is a page that says so, and comes back by itself', async ({
  browser,
  server,
}, info) => {
  const bob = await visitAs(browser, server, 'bob', { colorScheme: 'dark' })
  await Pushed.to(bob, bob.context())
  await (await server.signIn('ann')).send('bob', 'Kept by nobody')
  await expect(row(bob, 'Kept by nobody')).toBeVisible()
  await server.stop()
  await bob.goto('/settings')
  await expect(bob.getByRole('heading')).toHaveText('No connection to the server')
  await bob.setViewportSize({ width: 360, height: 640 })
  await info.attach('offline', { body: await bob.screenshot(), contentType: 'image/png' })
  expect(await bob.evaluate(() => window.violations)).toEqual([])
  // Nothing of a person is kept.
  const kept = await bob.evaluate(async () => {
    const names = await caches.keys()
    const requests = await Promise.all(names.map(async (name) => (await caches.open(name)).keys()))
    return requests.flat().map(({ url }) => new URL(url).pathname)
  })
  expect(kept.sort()).toEqual(['/offline.css', '/offline.js', '/words'])
  await server.start()
  await expect(bob.getByRole('heading', { name: 'Settings' })).toBeVisible()
  await expect(bob).toHaveURL(/\/settings$/)
})

test('a browser that gets another address says so itself, and not while locked', async ({
  browser,
  server,
}) => {
  const bob = await visitAs(browser, server, 'bob')
  const pushed = await Pushed.to(bob, bob.context())
  const pair = createECDH('prime256v1')
  const p256dh = pair.generateKeys('base64url')
  const subscription = {
    endpoint: 'https://fcm.googleapis.com/fcm/send/moved',
    expirationTime: null,
    keys: { p256dh, auth: randomBytes(16).toString('base64url') },
  }
  expect(await pushed.renew(subscription)).toBe(201)
  await bob.keyboard.press('l')
  await expect(lockField(bob)).toBeVisible()
  expect(await pushed.renew(subscription)).toBe(423)
})

test('signing out takes worker and words along', async ({ browser, server }) => {
  const bob = await visitAs(browser, server, 'bob')
  await Pushed.to(bob, bob.context())
  await bob.getByRole('button', { name: /Bob Ng/ }).click()
  await bob.getByRole('menuitem', { name: 'Sign out' }).click()
  await expect(bob.locator('[name=username]')).toBeVisible()
  // The page is loaded anew meanwhile, and who asks then gets no answer.
  await expect(async () => {
    const left = await bob.evaluate(async () => [
      ...(await navigator.serviceWorker.getRegistrations()).map(({ scope }) => scope),
      ...(await caches.keys()),
    ])
    expect(left).toEqual([])
  }).toPass()
})

test('it can be installed', async ({ browser, server }) => {
  const bob = await visitAs(browser, server, 'bob')
  const client = await bob.context().newCDPSession(bob)
  const { errors, data } = await client.send('Page.getAppManifest')
  expect(errors).toEqual([])
  expect(JSON.parse(data ?? '')).toMatchObject({ name: 'Belfry', display: 'standalone' })
  const { installabilityErrors } = await client.send('Page.getInstallabilityErrors')
  // A test's profile is one without a trace, where nothing is installed.
  expect(installabilityErrors.map(({ errorId }) => errorId)).toEqual(['in-incognito'])
  const worker = await bob.request.get('/sw.js')
  expect(worker.headers()['cache-control']).toBe('no-cache')
  const manifest = await bob.request.get('/manifest.webmanifest')
  expect(manifest.headers()['content-type']).toBe('application/manifest+json')
})
