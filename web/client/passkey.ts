import type { CredentialJson } from './types'

/**
 * Passkeys in the browser: WebAuthn Level 3, whose JSON forms the server speaks.
 * Browsers without them, older than 2025, do not offer passkeys here.
 */

/** Whether this browser, on this page, can make passkeys and prove with them. */
export function passkeysSupported(): boolean {
  return (
    typeof PublicKeyCredential === 'function' &&
    'parseRequestOptionsFromJSON' in PublicKeyCredential &&
    'toJSON' in PublicKeyCredential.prototype
  )
}

/** Lets the user make a passkey. Rejects with a DOMException, as `credentials.create` does. */
export async function createPasskey(
  options: PublicKeyCredentialCreationOptionsJSON,
): Promise<CredentialJson> {
  const publicKey = PublicKeyCredential.parseCreationOptionsFromJSON(options)
  return serialized(await navigator.credentials.create({ publicKey }))
}

/** Lets the user prove with a passkey. Rejects with a DOMException, as `credentials.get` does. */
export async function provePasskey(
  options: PublicKeyCredentialRequestOptionsJSON,
): Promise<CredentialJson> {
  const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(options)
  return serialized(await navigator.credentials.get({ publicKey }))
}

/** True when the user, or the clock, ended the browser's own dialog. */
export const passkeyDismissed = (error: unknown) =>
  error instanceof DOMException && ['NotAllowedError', 'AbortError'].includes(error.name)

/** True when this authenticator already holds a passkey of the user. */
export const passkeyKnown = (error: unknown) =>
  error instanceof DOMException && error.name === 'InvalidStateError'

function serialized(credential: Credential | null): CredentialJson {
  if (credential instanceof PublicKeyCredential) return credential.toJSON()
  throw new DOMException('no passkey', 'NotAllowedError')
}
