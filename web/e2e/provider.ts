import type { Page } from '@playwright/test'
import { freePort } from './ports'
import { Running } from './process'
import type { Settings } from './server'

/** What everyone types at the provider; it is nobody's password here. */
const PASSWORD = 'at the provider'

/** An OpenID provider beside a server: it knows bob, and cleo who has no account here. */
export class Provider {
  private readonly running: Running
  readonly settings: Settings

  private constructor(running: Running, issuer: string) {
    this.running = running
    this.settings = {
      OIDC_ISSUER: issuer,
      OIDC_CLIENT_ID: 'belfry',
      OIDC_CLIENT_SECRET: 'secret-of-this-test',
      OIDC_NAME: 'Acme',
    }
  }

  /** @param url where browsers find the server that sends people here */
  static async start(url: string): Promise<Provider> {
    const address = `127.0.0.1:${await freePort()}`
    const people = ['bob', 'cleo'].flatMap((name) => ['-user', `${name}:${PASSWORD}`])
    const running = new Running(process.env.BELFRY_PROVIDER ?? '', [
      ...['-listen', address, '-client-secret', 'secret-of-this-test'],
      ...['-redirect', `${url}/signed-in`, '-logout', `${url}/api/v1/oidc/backchannel-logout`],
      ...people,
    ])
    const issuer = `http://${address}`
    await running.answers(`${issuer}/.well-known/openid-configuration`, 200)
    return new Provider(running, issuer)
  }

  async stop(): Promise<void> {
    await this.running.stop()
  }
}

/** Fills in the provider's own form, on whatever page it is shown. */
export async function signInAtProvider(page: Page, name: string): Promise<void> {
  await page.getByRole('heading', { name: 'Sign in at the provider' }).waitFor()
  await page.getByLabel('Name').fill(name)
  await page.getByLabel('Password').fill(PASSWORD)
  await page.getByRole('button', { name: 'Sign in' }).click()
}
