import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { defineConfig } from '@playwright/test'

/** Debian's own browser; a downloaded one is not needed. */
const chromium = process.env.BELFRY_CHROMIUM ?? '/usr/bin/chromium'

/** The same without windows, tabs and notifications of a desktop, for half the processor time; where it is not there the whole one does. */
const shell = '/usr/bin/chromium-headless-shell'
const shellOrAll = !process.env.BELFRY_CHROMIUM && existsSync(shell) ? shell : chromium

/** What needs notifications, pushes or an installation, which only a whole browser has. */
const desktop = /^(hooks|outage|popups|push|readme|reset|shared-tabs)\.spec/

/** What has to hold behind a proxy and without one. */
const both = /^(connection|lock|shared-tabs)\.spec/

/** What has to hold behind a proxy, and holds without one where it does. */
const proxied = /^(reset|security-sign-on|traps-(canary|lock))\.spec/

const inBrowser = (executablePath: string) => ({
  browserName: 'chromium' as const,
  launchOptions: {
    executablePath,
    chromiumSandbox: false,
    args: [
      '--disable-gpu',
      '--disable-quic',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  },
})

const viaNginx = process.env.BELFRY_E2E_VIA === 'nginx'

/** What is run. All but the two kinds above a proxy cannot change; passkeys could not even be tried behind this one: no browser trusts its certificate. */
const specs = readdirSync(join(import.meta.dirname, 'e2e'))
  .filter((name) => name.endsWith('.spec.ts'))
  .filter((name) => proxied.test(name) === viaNginx || (viaNginx && both.test(name)))
const those = (inDesktop: boolean) =>
  specs.filter((name) => desktop.test(name) === inDesktop).map((name) => `**/e2e/${name}`)

export default defineConfig({
  testDir: 'e2e',
  globalSetup: './e2e/setup.ts',
  fullyParallel: true,
  forbidOnly: Boolean(process.env.CI),
  // Once more where a busy machine may have been at fault; the suite names what passed only then.
  retries: process.env.CI ? 1 : 0,
  // More than there are processors: a test mostly waits, for a lock to fall due or a page to paint. Behind nginx the suite
  // breaks nodes at the same time.
  workers: viaNginx ? 3 : 5,
  // Not what a page may take, but when to give up: a machine with other work is many times slower, and is not at fault.
  timeout: 180_000,
  expect: { timeout: 30_000 },
  reporter: 'list',
  use: {
    locale: 'en-GB',
    timezoneId: 'UTC',
    ignoreHTTPSErrors: true,
    permissions: ['notifications'],
    // Playwright cannot hold up or change what passes a worker. What it does has tests of its own, which let it.
    serviceWorkers: 'block',
    // Pictures of every step take half as long as the steps: --trace on, where one fails.
    trace: 'off',
  },
  projects: [
    { name: 'desktop', use: inBrowser(chromium), testMatch: those(true) },
    { name: 'shell', use: inBrowser(shellOrAll), testMatch: those(false) },
  ],
})
