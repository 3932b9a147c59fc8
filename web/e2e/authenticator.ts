import { createHmac } from 'node:crypto'
import type { CDPSession, Page } from '@playwright/test'

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'
const STEP_S = 30

function decodeBase32(text: string): Buffer {
  const bits = [...text.replace(/[\s=]/g, '')]
    .map((letter) => ALPHABET.indexOf(letter).toString(2).padStart(5, '0'))
    .join('')
  return Buffer.from((bits.match(/.{8}/g) ?? []).map((byte) => parseInt(byte, 2)))
}

/**
 * The code that an authenticator app shows (RFC 6238, RFC 4226 §5.3).
 * @param ahead how many steps from now, for each step's code is taken once
 */
export function totp(secret: string, ahead = 0): string {
  const counter = Buffer.alloc(8)
  counter.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 1000 / STEP_S) + ahead))
  const mac = createHmac('sha1', decodeBase32(secret)).update(counter).digest()
  const at = mac.readUInt8(mac.length - 1) & 0xf
  return String((mac.readUInt32BE(at) & 0x7fffffff) % 1_000_000).padStart(6, '0')
}

/** An authenticator in the browser of one page, which answers at once and as itself. */
export class Authenticator {
  private readonly client: CDPSession
  private readonly id: string

  private constructor(client: CDPSession, id: string) {
    this.client = client
    this.id = id
  }

  static async plugInto(page: Page): Promise<Authenticator> {
    const client = await page.context().newCDPSession(page)
    await client.send('WebAuthn.enable')
    const { authenticatorId } = await client.send('WebAuthn.addVirtualAuthenticator', {
      options: {
        protocol: 'ctap2',
        transport: 'internal',
        hasResidentKey: true,
        hasUserVerification: true,
        isUserVerified: true,
        automaticPresenceSimulation: true,
      },
    })
    return new Authenticator(client, authenticatorId)
  }

  /** The ids of the passkeys it holds, as WebAuthn's JSON has them. */
  async passkeys(): Promise<string[]> {
    const { credentials } = await this.client.send('WebAuthn.getCredentials', {
      authenticatorId: this.id,
    })
    return credentials.map(({ credentialId }) =>
      Buffer.from(credentialId, 'base64').toString('base64url'),
    )
  }

  /** Whether it recognizes who touches it. */
  async recognize(verified: boolean): Promise<void> {
    await this.client.send('WebAuthn.setUserVerified', {
      authenticatorId: this.id,
      isUserVerified: verified,
    })
  }
}
